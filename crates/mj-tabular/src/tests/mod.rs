//! Stories of delivered files.
