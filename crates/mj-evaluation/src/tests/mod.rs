//! Properties of the formulas, over pictures of the house that are made up at random.

mod formulas;
