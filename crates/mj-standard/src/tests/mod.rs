//! Stories of departments and supervisors, and the walk over all rules.

mod files;
mod made;
mod rows;
mod values;
mod walk;
