//! How the program is linked.

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    // Sixty thousand addresses to fill in are half of what a short command takes; at a fixed place the linker has done it.
    // What reads from the network is code without `unsafe`, and libraries, heap and stack stay where nobody knows.
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
