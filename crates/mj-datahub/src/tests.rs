//! Stories of the data centre, told on both databases.
