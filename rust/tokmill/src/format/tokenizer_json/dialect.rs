//! Regular expressions of tiktoken in the syntax of tokenizer.json.
//!
//! The two engines, fancy-regex and Oniguruma, read most of a pattern alike. What they read differently is rewritten
//! where the other syntax has a way to say it (possessive intervals, the ends of the text), and a pattern with anything
//! that is not known to mean the same has no translation.

use std::iter::Peekable;
use std::str::Chars;

/// The pattern in Oniguruma's syntax, where it is certain that it means the same there.
pub(crate) fn to_oniguruma(pattern: &str) -> Option<String> {
    let mut translation = Translation { rest: pattern.chars().peekable(), out: String::new(), groups: Vec::new() };
    while let Some(c) = translation.rest.next() {
        translation.item(c)?;
    }
    translation.groups.is_empty().then_some(translation.out)
}

struct Translation<'p> {
    rest: Peekable<Chars<'p>>,
    out: String,
    /// Where the groups that are open begin in the output.
    groups: Vec<usize>,
}

impl Translation<'_> {
    /// Translates one item that begins with `c`, and the quantifier behind it.
    fn item(&mut self, c: char) -> Option<()> {
        let mut begin = self.out.len();
        match c {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => {
                self.groups.push(begin);
                return self.group();
            }
            ')' => {
                begin = self.groups.pop()?;
                self.out.push(')');
            }
            '^' => self.out.push_str(r"\A"),
            '$' => self.out.push_str(r"\z"),
            // A quantifier stands behind an item, where it is read; elsewhere it is an error or a literal.
            '*' | '+' | '?' | '{' | '}' | ']' => return None,
            '|' => {
                self.out.push('|');
                return Some(());
            }
            other => self.out.push(other),
        }
        self.quantifier(begin)
    }

    /// An escape; of the classes those whose characters are the same in both engines.
    fn escape(&mut self) -> Option<()> {
        let c = self.rest.next()?;
        self.out.extend(['\\', c]);
        match c {
            'p' | 'P' => {
                if self.rest.next()? != '{' {
                    return None;
                }
                self.out.push('{');
                loop {
                    let c = self.rest.next()?;
                    self.out.push(c);
                    match c {
                        '}' => return Some(()),
                        'A'..='Z' | 'a'..='z' | '_' | '^' => {}
                        _ => return None,
                    }
                }
            }
            's' | 'S' | 'd' | 'D' | 'r' | 'n' | 't' => Some(()),
            c if c.is_ascii_punctuation() => Some(()),
            _ => None,
        }
    }

    /// A character class without classes or operators in it.
    fn class(&mut self) -> Option<()> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut last = '[';
        loop {
            let c = self.rest.next()?;
            match c {
                ']' if last == '[' => return None,
                ']' => {
                    self.out.push(']');
                    return Some(());
                }
                '[' => return None,
                '&' | '-' | '~' if last == c => return None,
                '\\' => self.escape()?,
                other => self.out.push(other),
            }
            last = c;
        }
    }

    /// The beginning of a group.
    fn group(&mut self) -> Option<()> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Some(());
        }
        self.out.push('?');
        let c = self.rest.next()?;
        self.out.push(c);
        match c {
            ':' | '=' | '!' | '>' => Some(()),
            'i' => {
                let colon = self.rest.next_if_eq(&':')?;
                self.out.push(colon);
                Some(())
            }
            '<' => {
                let kind = self.rest.next_if(|c| matches!(c, '=' | '!'))?;
                self.out.push(kind);
                Some(())
            }
            _ => None,
        }
    }

    /// The quantifier behind the item that begins at `begin` in the output.
    fn quantifier(&mut self, begin: usize) -> Option<()> {
        if let Some(quantifier) = self.rest.next_if(|c| matches!(c, '*' | '+' | '?')) {
            self.out.push(quantifier);
            self.out.extend(self.rest.next_if(|c| matches!(c, '+' | '?')));
        } else if self.rest.next_if_eq(&'{').is_some() {
            self.interval(begin)?;
        }
        // Quantifiers of quantified items are read differently.
        match self.rest.peek() {
            Some('*' | '+' | '?' | '{') => None,
            _ => Some(()),
        }
    }

    /// An interval, without its brace. A possessive one becomes an atomic group, since Oniguruma reads the `+` as a
    /// quantifier of its own.
    fn interval(&mut self, begin: usize) -> Option<()> {
        let mut interval = String::new();
        loop {
            match self.rest.next()? {
                '}' => break,
                c @ ('0'..='9' | ',') => interval.push(c),
                _ => return None,
            }
        }
        if !interval.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.out.extend(["{", &interval, "}"]);
        if self.rest.next_if_eq(&'+').is_some() {
            self.out.insert_str(begin, "(?>");
            self.out.push(')');
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_stays() {
        for pattern in [
            r"'s|'t| ?\p{L}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s+(?!\S)|\s+?",
            r"(?i:'s|'t)|(?<=a)b|(?>a*)b|[^-a\]&~]{2,3}|\p{N}{1,3}|a{2}",
        ] {
            assert_eq!(to_oniguruma(pattern).as_deref(), Some(pattern));
        }
    }

    #[test]
    fn what_is_said_otherwise_is_rewritten() {
        let cases =
            [(r"\p{N}{1,3}+|\s++$", r"(?>\p{N}{1,3})|\s++\z"), (r"^(a|[bc]{2}+){3,}+d", r"\A(?>(a|(?>[bc]{2})){3,})d")];
        for (pattern, expected) in cases {
            assert_eq!(to_oniguruma(pattern).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_not_certain_is_left_alone() {
        for pattern in [
            r"\w+",
            r"\bx",
            r"(?m)^a$",
            r"(?x: a )",
            r"[a&&b]",
            r"[[:alpha:]]",
            r"a{,3}",
            r"a{2}?",
            r"a+*",
            r"(?<n>a)",
            r"[]a]",
            "(a",
            "a)",
            r"\1",
            r"a{2}{3}",
            r"\pL",
        ] {
            assert_eq!(to_oniguruma(pattern), None, "{pattern}");
        }
    }
}
