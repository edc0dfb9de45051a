//! Finds: a tantivy index that can be thrown away and rebuilt, and the table of places.
