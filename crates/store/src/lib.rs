//! Keeps records, documents and cursors on sled; durable, checked, exportable.
