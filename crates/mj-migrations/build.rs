//! A new or changed migration file rebuilds this crate: `include_dir!` alone does not notice it.

fn main() {
    println!("cargo:rerun-if-changed=sql");
    println!("cargo:rerun-if-changed=build.rs");
}
