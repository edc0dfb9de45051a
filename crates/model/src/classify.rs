//! What a key means by the schema.

use crate::codes::Kind;
use crate::flat::{BLOCK_TEXT, unescape};
use crate::schema::{self, Field, Scalar, Type};

/// What lies at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// A single value.
    Scalar(Scalar),
    /// The order key of an element, block or listed value.
    Order,
    /// The text of a block.
    Block,
    /// A value in free JSON.
    Free,
}

/// A key explained.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) leaf: Leaf,
    /// Lengths of the prefixes of the key that are elements or blocks, outermost first.
    pub(crate) elements: Vec<usize>,
}

/// What this version of the schema says about a key; `None` if it does not know it.
pub(crate) fn classify(kind: &Kind, key: &str) -> Option<Meaning> {
    let mut elements = Vec::new();
    let leaf = Steps { key, at: 0, elements: &mut elements }.object(schema::fields(kind))?;
    Some(Meaning { leaf, elements })
}

struct Steps<'a> {
    key: &'a str,
    /// Where the next step begins; beyond the end if there is none.
    at: usize,
    elements: &'a mut Vec<usize>,
}

impl<'a> Steps<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.key.get(self.at..)?;
        let step = rest.split('/').next()?;
        self.at += step.len() + 1;
        Some(step)
    }

    fn done<T>(&self, leaf: T) -> Option<T> {
        (self.at > self.key.len()).then_some(leaf)
    }

    fn element(&mut self) -> Option<&'a str> {
        let id = self.next()?;
        self.elements.push(self.at - 1);
        Some(id)
    }

    fn object(&mut self, fields: &[Field]) -> Option<Leaf> {
        let name = self.next()?;
        let field = schema::find(fields, &unescape(name))?;
        match field.of {
            Type::Scalar(scalar) => self.done(Leaf::Scalar(scalar)),
            Type::Scalars(_) => self.listed(),
            Type::Words => {
                self.next()?;
                self.done(Leaf::Scalar(Scalar::String))
            }
            Type::WordLists => {
                self.next()?;
                self.listed()
            }
            Type::Text => self.text(),
            Type::Texts => {
                self.next()?;
                self.text()
            }
            Type::Object(fields) => self.object(fields),
            Type::Objects(fields) => {
                self.element()?;
                self.done(Leaf::Order).or_else(|| self.object(fields))
            }
            Type::Free => self.next().map(|_| Leaf::Free),
            Type::Scheduled => {
                self.element()?;
                self.done(Leaf::Order).or_else(|| match self.next()? {
                    "from" => self.done(Leaf::Scalar(Scalar::Date)),
                    "set" => self.next().map(|_| Leaf::Free),
                    _ => None,
                })
            }
            Type::Companions => None,
        }
    }

    fn listed(&mut self) -> Option<Leaf> {
        self.next()?;
        self.done(Leaf::Order).or_else(|| {
            self.next()?;
            self.done(Leaf::Order)
        })
    }

    fn text(&mut self) -> Option<Leaf> {
        self.next()?;
        self.element()?;
        self.done(Leaf::Order).or_else(|| {
            let block = self.next()? == BLOCK_TEXT;
            block.then_some(())?;
            self.done(Leaf::Block)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_explained_by_the_schema() {
        let meaning = |key| classify(&Kind::Service, key).map(|meaning| (meaning.leaf, meaning.elements));
        assert_eq!(meaning("title/de"), Some((Leaf::Scalar(Scalar::String), vec![])));
        assert_eq!(meaning("fees/abc"), Some((Leaf::Order, vec![8])));
        assert_eq!(meaning("fees/abc/amount"), Some((Leaf::Scalar(Scalar::Money), vec![8])));
        assert_eq!(meaning("fees/abc/note/de"), Some((Leaf::Scalar(Scalar::String), vec![8])));
        assert_eq!(meaning("fees/abc/extensions/x/y"), Some((Leaf::Free, vec![8])));
        assert_eq!(meaning("texts/notes/de/b1/t"), Some((Leaf::Block, vec![17])));
        assert_eq!(meaning("keywords/de/a~1b"), Some((Leaf::Order, vec![])));
        assert_eq!(meaning("keywords/de/a~1b/1"), Some((Leaf::Order, vec![])));
        for unknown in ["title", "title/de/x", "colour", "fees", "fees/abc/colour", "texts/notes/de/b1/u", "extensions"]
        {
            assert_eq!(meaning(unknown), None, "{unknown}");
        }
    }
}
