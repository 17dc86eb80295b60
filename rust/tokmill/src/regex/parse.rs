//! Patterns as text, read into [`Node`]s.
//!
//! Two dialects are read, each as the engine reads it that tokenizes with it elsewhere: Oniguruma's own syntax
//! (tokenizer.json) and that of the `fancy-regex` crate (tiktoken). They share most spellings and differ in a few that
//! matter: `x{1,3}+` is possessive in the second and a repeated repeat in the first; `$` is the end of a line in the
//! first and the end of the text in the second; word characters differ by a handful. The parser refuses what it does
//! not know by name: a pattern read differently from its owner would cut text differently without a word. Reference:
//! Oniguruma's `doc/RE`, version 6.9, and the documentation of fancy-regex 0.20.

use super::charset::{CharSet, folded_sequences};
use super::class::{Place, class_escape, property};
use super::node::{Node, Refusal, Side};

/// Whose reading of a pattern counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Oniguruma,
    FancyRegex,
}

/// Characters of a pattern at the most.
const LONGEST_PATTERN: usize = 1 << 16;
/// Groups within groups at the most.
const DEEPEST_NESTING: usize = 64;
/// The largest number in a repeat; Oniguruma's own limit is 100,000.
const LARGEST_REPEAT: u32 = 1000;

/// What `(?i)` and its like switch.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    dot_matches_newline: bool,
    lines: bool,
}

/// A position in a pattern.
pub(super) struct Parser {
    chars: Vec<char>,
    at: usize,
    pub(super) dialect: Dialect,
    depth: usize,
    /// Inside of a look-behind, where the engines have rules of their own for what looks further.
    in_look_behind: bool,
}

/// Reads a pattern.
pub(super) fn parse(pattern: &str, dialect: Dialect) -> Result<Node, Refusal> {
    let mut parser = Parser { chars: pattern.chars().collect(), at: 0, dialect, depth: 0, in_look_behind: false };
    if parser.chars.len() > LONGEST_PATTERN {
        return Err(format!("the pattern is longer than {LONGEST_PATTERN} characters"));
    }
    let node = parser.alternatives(Flags::default())?;
    if parser.at < parser.chars.len() {
        return Err(parser.refuse("an unmatched ')'"));
    }
    if dialect == Dialect::Oniguruma && begins_with_any_after_condition(&node, false) {
        return Err(
            parser.refuse("'.*' behind a condition at the begin of a pattern, which Oniguruma misses matches of,")
        );
    }
    Ok(node)
}

/// Whether the first thing read may be a run of any characters after a condition. Oniguruma tries such a pattern at the
/// begin of the text or of lines only, as is right without the condition.
fn begins_with_any_after_condition(node: &Node, mut condition: bool) -> bool {
    match node {
        Node::Empty | Node::Set(_) | Node::Near(..) | Node::Look { .. } => false,
        Node::Alternate(nodes) => nodes.iter().any(|node| begins_with_any_after_condition(node, condition)),
        Node::Atomic(node) => begins_with_any_after_condition(node, condition),
        Node::Repeat { node, max, .. } => match node.as_ref() {
            Node::Set(set) => condition && max.is_none() && set.is_any(),
            node => begins_with_any_after_condition(node, condition),
        },
        Node::Concat(nodes) => {
            for node in nodes {
                if begins_with_any_after_condition(node, condition) {
                    return true;
                }
                if !node.may_be_empty() {
                    return false;
                }
                condition |= !node.never_fails();
            }
            false
        }
    }
}

/// What one step of a branch yields.
enum Piece {
    Node(Node),
    /// A literal character under `(?i)`, which may fold together with its neighbour.
    FoldedLiteral(char, Node),
    /// `(?i)`: holds until the group ends.
    Flags(Flags),
}

impl Parser {
    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Moves past `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    pub(super) fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, c)| self.chars.get(self.at + index) == Some(&c))
    }

    pub(super) fn refuse(&self, what: impl std::fmt::Display) -> Refusal {
        format!("{what} is not supported (before character {})", self.at)
    }

    pub(super) fn enter(&mut self) -> Result<(), Refusal> {
        self.depth += 1;
        if self.depth > DEEPEST_NESTING {
            return Err(format!("more than {DEEPEST_NESTING} nested groups or classes are not supported"));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// `a|b|c`, up to a closing parenthesis or the end.
    fn alternatives(&mut self, mut flags: Flags) -> Result<Node, Refusal> {
        self.enter()?;
        let mut branches = Vec::new();
        loop {
            branches.push(self.branch(&mut flags, branches.is_empty())?);
            if !self.eat("|") {
                break;
            }
        }
        self.leave();
        Ok(Node::alternate(branches))
    }

    fn branch(&mut self, flags: &mut Flags, is_first: bool) -> Result<Node, Refusal> {
        let mut nodes = Vec::new();
        let mut folded_before = None;
        while !matches!(self.peek(), None | Some('|' | ')')) {
            let begins = is_first && nodes.is_empty();
            match self.atom(*flags)? {
                Piece::Flags(new) => {
                    if !begins && self.dialect == Dialect::Oniguruma {
                        return Err(self.refuse("an inline flag such as (?i) after the begin of a group"));
                    }
                    *flags = new;
                }
                Piece::Node(node) => {
                    nodes.push(self.repeats(node)?);
                    folded_before = None;
                }
                Piece::FoldedLiteral(c, node) => {
                    let repeated = self.repeats(node.clone())?;
                    let alone = repeated != node;
                    if let (false, Some(before)) = (alone, folded_before) {
                        self.check_folded_pair(before, c)?;
                    }
                    folded_before = (!alone).then_some(c);
                    nodes.push(repeated);
                }
            }
        }
        Ok(Node::concat(nodes))
    }

    /// Oniguruma lets `(?i)ss` match `ß`. Only patterns in which that cannot happen are taken.
    fn check_folded_pair(&self, first: char, second: char) -> Result<(), Refusal> {
        let fold = |c: char| c.to_uppercase().flat_map(char::to_lowercase).next().unwrap_or(c);
        let pair = [fold(first), fold(second)];
        if self.dialect == Dialect::Oniguruma && folded_sequences().iter().any(|(_, sequence)| sequence[..2] == pair) {
            return Err(self.refuse(format!("'{first}{second}' under (?i), which also stands for one character")));
        }
        Ok(())
    }

    fn atom(&mut self, flags: Flags) -> Result<Piece, Refusal> {
        let c = self.next().ok_or_else(|| self.refuse("the end of the pattern here"))?;
        Ok(Piece::Node(match c {
            '(' => return self.group(flags),
            '[' => Node::set(self.class(flags)?),
            '.' if flags.dot_matches_newline => Node::set(CharSet::default().negated()),
            '.' => Node::set(CharSet::one('\n').negated()),
            '^' => self.line_begin(flags),
            '$' => self.line_end(flags),
            '*' | '+' | '?' => return Err(self.refuse(format!("'{c}' without anything to repeat"))),
            '\\' => return self.escape(flags),
            c => return self.literal(c, flags),
        }))
    }

    fn literal(&self, c: char, flags: Flags) -> Result<Piece, Refusal> {
        let set = CharSet::one(c);
        if !flags.ignore_case {
            return Ok(Piece::Node(Node::set(set)));
        }
        let set = set.with_other_cases();
        self.check_folded_set(&set)?;
        Ok(Piece::FoldedLiteral(c, Node::set(set)))
    }

    /// Refuses a set under `(?i)` with a character that Oniguruma also takes for a sequence.
    pub(super) fn check_folded_set(&self, set: &CharSet) -> Result<(), Refusal> {
        if self.dialect == Dialect::Oniguruma
            && let Some((c, _)) = folded_sequences().iter().find(|(c, _)| set.contains(*c as u32))
        {
            return Err(self.refuse(format!("'{c}' under (?i), which also stands for a sequence of characters")));
        }
        Ok(())
    }

    fn line_begin(&self, flags: Flags) -> Node {
        let text_begin = Node::near(Side::Behind, CharSet::edge());
        let after_newline = Node::near(Side::Behind, CharSet::one('\n'));
        match self.dialect {
            Dialect::FancyRegex if !flags.lines => text_begin,
            Dialect::FancyRegex => Node::near(Side::Behind, CharSet::one('\n').union(&CharSet::edge())),
            // A newline that ends the text begins no line.
            Dialect::Oniguruma => Node::Alternate(vec![
                text_begin,
                Node::concat(vec![after_newline, Node::near(Side::Ahead, CharSet::edge().negated_neighbour())]),
            ]),
        }
    }

    fn line_end(&self, flags: Flags) -> Node {
        let lines = flags.lines || self.dialect == Dialect::Oniguruma;
        let newline = if lines { CharSet::one('\n') } else { CharSet::default() };
        Node::near(Side::Ahead, newline.union(&CharSet::edge()))
    }

    fn word_boundary(&self, inside: bool) -> Node {
        let word = class_escape('w', self.dialect, Place::Alone).unwrap_or_default();
        let is = |side| Node::near(side, word.clone());
        let is_not = |side| Node::near(side, word.negated_neighbour());
        let pairs = if inside {
            [(is(Side::Behind), is(Side::Ahead)), (is_not(Side::Behind), is_not(Side::Ahead))]
        } else {
            [(is(Side::Behind), is_not(Side::Ahead)), (is_not(Side::Behind), is(Side::Ahead))]
        };
        Node::Alternate(pairs.into_iter().map(|(behind, ahead)| Node::Concat(vec![behind, ahead])).collect())
    }

    /// After a backslash outside of a class.
    fn escape(&mut self, flags: Flags) -> Result<Piece, Refusal> {
        let c = self.next().ok_or_else(|| self.refuse("a backslash at the end"))?;
        Ok(Piece::Node(match c {
            'A' => Node::near(Side::Behind, CharSet::edge()),
            'z' => Node::near(Side::Ahead, CharSet::edge()),
            'Z' if self.dialect == Dialect::Oniguruma => {
                let last_newline =
                    Node::concat(vec![Node::set(CharSet::one('\n')), Node::near(Side::Ahead, CharSet::edge())]);
                let end = Node::near(Side::Ahead, CharSet::edge());
                Node::look(Side::Ahead, false, Node::Alternate(vec![end, last_newline]))
            }
            'b' | 'B' if self.peek() != Some('{') => self.word_boundary(c == 'B'),
            'R' => {
                self.check_look_behind("\\R")?;
                let one = [(0x0A, 0x0D), (0x85, 0x85), (0x2028, 0x2029)];
                let pair = Node::Concat(vec![Node::set(CharSet::one('\r')), Node::set(CharSet::one('\n'))]);
                Node::Atomic(Box::new(Node::Alternate(vec![pair, Node::set(CharSet::of(one.to_vec()))])))
            }
            'O' => Node::set(CharSet::default().negated()),
            'N' => Node::set(CharSet::one('\n').negated()),
            'p' | 'P' => {
                let set = property(self, c == 'P', Place::Alone)?;
                // Oniguruma does not look for other cases of a property outside of brackets.
                let fold = flags.ignore_case && self.dialect == Dialect::FancyRegex;
                Node::set(if fold { set.with_other_cases() } else { set })
            }
            c => {
                let Some(set) = class_escape(c, self.dialect, Place::Alone) else {
                    let c = self.escaped_char(c)?;
                    return self.literal(c, flags);
                };
                Node::set(set)
            }
        }))
    }

    /// The character that `\` and `c` stand for, inside of classes and outside.
    pub(super) fn escaped_char(&mut self, c: char) -> Result<char, Refusal> {
        Ok(match c {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\x0C',
            'v' => '\x0B',
            'a' => '\x07',
            'e' => '\x1B',
            'x' if self.eat("{") => {
                let value = self.hexadecimal(8)?;
                if !self.eat("}") {
                    return Err(self.refuse("a \\x{...} that is not a hexadecimal number"));
                }
                value
            }
            'x' => match self.hexadecimal(2)? {
                c if c.is_ascii() => c,
                c => return Err(self.refuse(format!("the single byte \\x{:02X}", c as u32))),
            },
            'u' => {
                let begin = self.at;
                let value = self.hexadecimal(4)?;
                if self.at != begin + 4 {
                    return Err(self.refuse("a \\u without four digits"));
                }
                value
            }
            '1'..='9' => return Err(self.refuse(format!("the back-reference or octal escape \\{c}"))),
            c if c.is_ascii_alphanumeric() => return Err(self.refuse(format!("the escape \\{c}"))),
            c => c,
        })
    }

    fn hexadecimal(&mut self, most_digits: usize) -> Result<char, Refusal> {
        let (mut value, mut digits) = (0u32, 0);
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(16)).filter(|_| digits < most_digits) {
            value = (value << 4) | digit;
            digits += 1;
            self.at += 1;
        }
        char::from_u32(value)
            .filter(|_| digits > 0)
            .ok_or_else(|| self.refuse("an escape that is not the number of a character"))
    }

    /// After `(`.
    fn group(&mut self, flags: Flags) -> Result<Piece, Refusal> {
        let look = [
            ("?=", Side::Ahead, false),
            ("?!", Side::Ahead, true),
            ("?<=", Side::Behind, false),
            ("?<!", Side::Behind, true),
        ];
        if let Some(&(_, side, negated)) = look.iter().find(|(opening, ..)| self.eat(opening)) {
            self.check_look_behind("a look-around")?;
            self.in_look_behind = side == Side::Behind;
            let node = self.until_closed(flags)?;
            self.in_look_behind = false;
            return Ok(Piece::Node(Node::look(side, negated, node)));
        }
        if self.eat("?>") {
            self.check_look_behind("an atomic group")?;
            return Ok(Piece::Node(Node::Atomic(Box::new(self.until_closed(flags)?))));
        }
        if self.eat("?#") {
            while !matches!(self.next(), None | Some(')')) {}
            return Ok(Piece::Node(Node::Empty));
        }
        if self.eat("?:") {
            return Ok(Piece::Node(self.until_closed(flags)?));
        }
        let python_name = self.dialect == Dialect::FancyRegex && self.eat("?P<");
        if python_name || self.eat("?<") || self.eat("?'") {
            while !matches!(self.next(), None | Some('>' | '\'')) {}
            return Ok(Piece::Node(self.until_closed(flags)?));
        }
        if self.eat("?") {
            return self.flags(flags);
        }
        if self.looking_at("*") {
            return Err(self.refuse("a control verb (*...)"));
        }
        Ok(Piece::Node(self.until_closed(flags)?))
    }

    fn check_look_behind(&self, what: &str) -> Result<(), Refusal> {
        if self.in_look_behind { Err(self.refuse(format!("{what} inside of a look-behind"))) } else { Ok(()) }
    }

    /// After `(?`, where flags are to come.
    fn flags(&mut self, mut flags: Flags) -> Result<Piece, Refusal> {
        let mut on = true;
        loop {
            match (self.next(), self.dialect) {
                (Some('i'), _) => flags.ignore_case = on,
                (Some('m'), Dialect::Oniguruma) | (Some('s'), Dialect::FancyRegex) => flags.dot_matches_newline = on,
                (Some('m'), Dialect::FancyRegex) => flags.lines = on,
                (Some('-'), _) if on => on = false,
                (Some(':'), _) => return Ok(Piece::Node(self.until_closed(flags)?)),
                (Some(')'), _) => return Ok(Piece::Flags(flags)),
                (Some(c), _) => return Err(self.refuse(format!("a group that begins with '(?' and has '{c}' there"))),
                (None, _) => return Err(self.refuse("an unclosed group")),
            }
        }
    }

    fn until_closed(&mut self, flags: Flags) -> Result<Node, Refusal> {
        let node = self.alternatives(flags)?;
        if self.eat(")") { Ok(node) } else { Err(self.refuse("an unclosed group")) }
    }

    /// The quantifiers after an atom.
    fn repeats(&mut self, mut node: Node) -> Result<Node, Refusal> {
        let mut count = 0;
        while let Some((min, max, is_interval)) = self.quantifier()? {
            count += 1;
            if count > 1 && self.dialect == Dialect::FancyRegex {
                return Err(self.refuse("a quantifier after a quantifier"));
            }
            if count > 4 {
                return Err(self.refuse("a chain of quantifiers"));
            }
            if matches!(node, Node::Near(..) | Node::Look { .. }) {
                return Err(self.refuse("a repeated look-around or anchor"));
            }
            let repeats_nothing = node.may_be_empty() && (is_interval || self.dialect == Dialect::FancyRegex);
            if repeats_nothing && (min, max) != (0, Some(1)) {
                // Engines differ in whether a copy that matches nothing counts.
                return Err(self.refuse("this repeat of what may match nothing"));
            }
            let onig_interval = is_interval && self.dialect == Dialect::Oniguruma;
            let lazy = !(onig_interval && max == Some(min)) && self.eat("?");
            let possessive = !lazy && !onig_interval && self.eat("+");
            node = Node::repeat(node, min, max, !lazy);
            if possessive {
                self.check_look_behind("a possessive repeat")?;
                node = Node::Atomic(Box::new(node));
            }
        }
        Ok(node)
    }

    /// Least and most copies, and whether they are written in braces; `None` where no quantifier comes next.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>, bool)>, Refusal> {
        let begin = self.at;
        Ok(Some(match self.next() {
            Some('*') => (0, None, false),
            Some('+') => (1, None, false),
            Some('?') => (0, Some(1), false),
            Some('{') => {
                let least = self.number()?;
                let most = if self.eat(",") { self.number()? } else { least };
                let open_ended = self.chars[self.at - 1] == ',';
                if !self.eat("}") || (least.is_none() && most.is_none()) {
                    // Not an interval: the brace is a character.
                    self.at = begin;
                    return Ok(None);
                }
                let least = least.unwrap_or(0);
                let most = if open_ended { None } else { most };
                if most.is_some_and(|most| most < least) {
                    return Err(self.refuse("an interval that ends before it begins"));
                }
                (least, most, true)
            }
            _ => {
                self.at = begin;
                return Ok(None);
            }
        }))
    }

    fn number(&mut self) -> Result<Option<u32>, Refusal> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            let value = number.unwrap_or(0) * 10 + digit;
            if value > LARGEST_REPEAT {
                return Err(self.refuse(format!("a repeat of more than {LARGEST_REPEAT}")));
            }
            number = Some(value);
        }
        Ok(number)
    }
}
