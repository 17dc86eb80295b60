//! Character classes: brackets, `\p{...}`, `\d` and their like, by dialect.

use super::charset::CharSet;
use super::node::Refusal;
use super::parse::{Dialect, Flags, Parser};

/// Where a class is named. Oniguruma has two tables of word characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    InBrackets,
    Alone,
}

/// What `\d`, `\s`, `\w`, `\h` and their negations match; `None` for other letters.
pub(super) fn class_escape(letter: char, dialect: Dialect, place: Place) -> Option<CharSet> {
    let set = match (letter.to_ascii_lowercase(), dialect) {
        ('d', _) => CharSet::known(r"\d"),
        ('s', _) => CharSet::known(r"\s"),
        ('h', _) => CharSet::known("[0-9A-Fa-f]"),
        ('w', Dialect::FancyRegex) => CharSet::known(r"\w"),
        ('w', Dialect::Oniguruma) => oniguruma_word(place),
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() { set.negated() } else { set })
}

/// Oniguruma counts the joiners out and, outside of brackets, superscript digits and fractions of Latin-1 in.
fn oniguruma_word(place: Place) -> CharSet {
    CharSet::known(match place {
        Place::InBrackets => r"[\w--[\u{200C}\u{200D}]]",
        Place::Alone => r"[[\w--[\u{200C}\u{200D}]]²³¹¼½¾]",
    })
}

/// Oniguruma's `[:name:]` and `\p{name}` for the names of POSIX, which Unicode lends its meaning.
fn posix(name: &str, colons: bool, place: Place) -> Option<CharSet> {
    Some(CharSet::known(match name {
        "alnum" => r"[\p{Alphabetic}\p{Nd}]",
        "alpha" => r"\p{Alphabetic}",
        "ascii" => r"[\x00-\x7F]",
        "blank" => r"[\p{Zs}\t]",
        "cntrl" => r"\p{Cc}",
        "digit" => r"\p{Nd}",
        "graph" => r"[^\s\p{Cc}\p{Cn}]",
        "lower" => r"\p{Lowercase}",
        "print" => r"[[^\s\p{Cc}\p{Cn}]\p{Zs}]",
        "punct" if colons => r"[\p{P}\p{S}]",
        "punct" => r"\p{P}",
        "space" => r"\s",
        "upper" => r"\p{Uppercase}",
        "xdigit" => r"[0-9A-Fa-f]",
        "word" => return Some(oniguruma_word(place)),
        _ => return None,
    }))
}

/// After `\p` or `\P`.
pub(super) fn property(parser: &mut Parser, negated: bool, place: Place) -> Result<CharSet, Refusal> {
    let mut name = String::new();
    if parser.eat("{") {
        loop {
            match parser.next() {
                Some('}') => break,
                Some(c) => name.push(c),
                None => return Err(parser.refuse("an unclosed \\p{")),
            }
        }
    } else if parser.dialect == Dialect::FancyRegex {
        name.extend(parser.next());
    }
    let (name, caret) = match name.strip_prefix('^') {
        Some(rest) => (rest, true),
        None => (name.as_str(), false),
    };
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "_- ".contains(c));
    let set = match parser.dialect {
        _ if !is_name => None,
        Dialect::Oniguruma => posix(&name.to_ascii_lowercase(), false, place),
        Dialect::FancyRegex => None,
    };
    let set = set.or_else(|| CharSet::parse(&format!("\\p{{{name}}}")).filter(|_| is_name));
    match set {
        Some(set) => Ok(if negated == caret { set } else { set.negated() }),
        None => Err(parser.refuse(format!("the property \\p{{{name}}}"))),
    }
}

/// What stands between two hyphens of a class.
enum Item {
    One(char),
    Many(CharSet),
}

impl Parser {
    /// After `[`.
    pub(super) fn class(&mut self, flags: Flags) -> Result<CharSet, Refusal> {
        self.enter()?;
        let negated = self.eat("^");
        let mut all: Option<CharSet> = None;
        let mut ranges = Vec::new();
        let mut union = CharSet::default();
        let mut first = true;
        loop {
            if self.eat("&&") {
                let operand = self.operand(&mut ranges, &mut union, flags)?;
                all = Some(all.map_or(operand.clone(), |all| all.intersection(&operand)));
                continue;
            }
            if !first && self.eat("]") {
                break;
            }
            match self.class_item(flags)? {
                Item::Many(set) => {
                    if self.looking_at("-") && !self.looking_at("-]") && !self.looking_at("-&&") {
                        return Err(self.refuse("a '-' after a class within a class"));
                    }
                    union = union.union(&set);
                }
                Item::One(low) => {
                    let high = self.range_end(low)?;
                    ranges.push((low as u32, high as u32));
                }
            }
            first = false;
        }
        let last = self.operand(&mut ranges, &mut union, flags)?;
        self.leave();
        let set = all.map_or(last.clone(), |all| all.intersection(&last));
        Ok(if negated { set.negated() } else { set })
    }

    /// Closes one side of `&&`.
    fn operand(&mut self, ranges: &mut Vec<(u32, u32)>, union: &mut CharSet, flags: Flags) -> Result<CharSet, Refusal> {
        let set = std::mem::take(union).union(&CharSet::of(std::mem::take(ranges)));
        if !flags.ignore_case {
            return Ok(set);
        }
        let set = set.with_other_cases();
        self.check_folded_set(&set)?;
        Ok(set)
    }

    /// After the character `low`: the other end of a range, or `low` where it stands alone.
    fn range_end(&mut self, low: char) -> Result<char, Refusal> {
        if !self.looking_at("-") || self.looking_at("-]") || self.looking_at("-&&") {
            return Ok(low);
        }
        self.eat("-");
        match self.class_item(Flags::default())? {
            Item::One(high) if low <= high => {
                if self.looking_at("-") && !self.looking_at("-]") {
                    return Err(self.refuse("a '-' after a range"));
                }
                Ok(high)
            }
            Item::One(_) => Err(self.refuse("a range that ends before it begins")),
            Item::Many(_) => Err(self.refuse("a range that ends in a class")),
        }
    }

    fn class_item(&mut self, flags: Flags) -> Result<Item, Refusal> {
        let operators = ["--", "~~"];
        if self.dialect == Dialect::FancyRegex
            && let Some(operator) = operators.iter().find(|operator| self.looking_at(operator))
        {
            return Err(self.refuse(format!("'{operator}' in a class")));
        }
        let c = self.next().ok_or_else(|| self.refuse("an unclosed class"))?;
        Ok(match c {
            '[' if self.looking_at(":") => Item::Many(self.posix_class()?),
            '[' => Item::Many(self.class(flags)?),
            '\\' => {
                let c = self.next().ok_or_else(|| self.refuse("a backslash at the end"))?;
                match c {
                    'p' | 'P' => Item::Many(property(self, c == 'P', Place::InBrackets)?),
                    'b' => Item::One('\x08'),
                    c => match class_escape(c, self.dialect, Place::InBrackets) {
                        Some(set) => Item::Many(set),
                        None => Item::One(self.escaped_char(c)?),
                    },
                }
            }
            c => Item::One(c),
        })
    }

    /// After `[` of `[:name:]`.
    fn posix_class(&mut self) -> Result<CharSet, Refusal> {
        self.eat(":");
        let negated = self.eat("^");
        let mut name = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_alphabetic) {
            name.push(c);
            self.next();
        }
        if !self.eat(":]") {
            return Err(self.refuse("a '[:' in a class without ':]'"));
        }
        let set = match self.dialect {
            Dialect::Oniguruma => posix(&name, true, Place::InBrackets),
            Dialect::FancyRegex => CharSet::parse(&format!("[[:{name}:]]")),
        };
        let set = set.ok_or_else(|| self.refuse(format!("the class [:{name}:]")))?;
        Ok(if negated { set.negated() } else { set })
    }
}
