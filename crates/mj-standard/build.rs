//! A new table or list is a new file, which the compiler alone would not notice.

fn main() {
    println!("cargo:rerun-if-changed=tables");
    println!("cargo:rerun-if-changed=lists");
}
