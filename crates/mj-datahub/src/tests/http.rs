//! The data centre as an integrator's client sees it.
