// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Compiles the C library into the crate, by the command lines of cc and ar. With the feature
//! `system`, asks pkg-config for an installed library instead. Uses nothing outside of std.
//!
//! The environment has the usual variables: CC, CFLAGS, AR and PKG_CONFIG. A variable may end in
//! the target, with `-` or `_` (CC_x86_64_unknown_linux_musl); it then goes before the plain one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{exit, Child, Command};

fn fail(what: &str) -> ! {
    eprintln!("gmemstate-sys: {}", what);
    exit(1)
}

fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", name)).is_some()
}

/// Reads NAME_<target>, with the target as it is or with underscores, or else NAME.
fn tool_var(name: &str) -> Option<String> {
    let target = env::var("TARGET").unwrap();
    let forms = [
        format!("{}_{}", name, target),
        format!("{}_{}", name, target.replace('-', "_")),
        name.to_string(),
    ];
    for form in &forms {
        println!("cargo:rerun-if-env-changed={}", form);
    }
    let found = forms.iter().find_map(|form| env::var(form).ok());
    found.filter(|value| !value.trim().is_empty())
}

/// Splits the value of a variable such as CC="ccache gcc" into words.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

fn compiler() -> Vec<String> {
    let target = env::var("TARGET").unwrap();
    if let Some(cc) = tool_var("CC") {
        return words(&cc);
    }
    if target.contains("musl") && !env::var("HOST").unwrap().contains("musl") {
        return vec!["musl-gcc".to_string()];
    }
    vec!["cc".to_string()]
}

/// Lists the files of a folder that have an extension, in a fixed order.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(err) => fail(&format!("{}: {}", dir.display(), err)),
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().map_or(false, |e| e == extension))
        .collect();
    found.sort();
    found
}

/// Lists the folders that have sources of the library: those of src/, and platform/user.
fn rooms(csrc: &Path) -> Vec<PathBuf> {
    let src = csrc.join("src");
    let mut found: Vec<PathBuf> = match fs::read_dir(&src) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(err) => fail(&format!("{}: {}", src.display(), err)),
    };
    found.retain(|path| path.is_dir());
    found.push(src.join("platform/user"));
    if has_feature("KVM") {
        found.push(csrc.join("kvm"));
    }
    found.sort();
    found
}

fn wait(job: (Child, String)) {
    let (mut child, what) = job;
    match child.wait() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("{}: {}", what, status)),
        Err(err) => fail(&format!("{}: {}", what, err)),
    }
}

fn spawn(command: &mut Command) -> (Child, String) {
    let what = format!("{:?}", command);
    match command.spawn() {
        Ok(child) => (child, what),
        Err(err) => fail(&format!("{}: {}", what, err)),
    }
}

/// The command that compiles one file, without the names of the file and of its object.
fn compile_command(cc: &[String], csrc: &Path) -> Command {
    let mut command = Command::new(&cc[0]);
    command
        .args(&cc[1..])
        .args(["-std=gnu11", "-O2", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra"])
        .arg("-I")
        .arg(csrc.join("include"))
        .arg("-I")
        .arg(csrc.join("src"))
        .arg("-I")
        .arg(csrc.join("src/platform/user"));
    if env::var("DEBUG").map_or(false, |debug| debug != "false" && debug != "0") {
        command.arg("-g");
    }
    command.arg(if has_feature("CHECKS") { "-DGMS_DEBUG" } else { "-DNDEBUG" });
    if let Some(flags) = tool_var("CFLAGS") {
        command.args(words(&flags));
    }
    command.arg("-c");
    command
}

/// Compiles all sources, as many at a time as cargo allows. Returns the objects.
fn compile(csrc: &Path, out: &Path) -> Vec<PathBuf> {
    let at_once = env::var("NUM_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let cc = compiler();
    let mut objects = Vec::new();
    let mut running: Vec<(Child, String)> = Vec::new();
    for room in rooms(csrc) {
        println!("cargo:rerun-if-changed={}", room.display()); // a file may be added
        for header in files(&room, "h") {
            println!("cargo:rerun-if-changed={}", header.display());
        }
        for source in files(&room, "c") {
            println!("cargo:rerun-if-changed={}", source.display());
            let name = source.strip_prefix(csrc).unwrap().display().to_string();
            let object = out.join(name.replace('/', "_")).with_extension("o");
            if running.len() >= at_once {
                wait(running.remove(0));
            }
            let mut command = compile_command(&cc, csrc);
            running.push(spawn(command.arg(&source).arg("-o").arg(&object)));
            objects.push(object);
        }
    }
    running.into_iter().for_each(wait);
    objects
}

fn archive(objects: &[PathBuf], library: &Path) {
    let ar = words(&tool_var("AR").unwrap_or_else(|| "ar".to_string()));
    // ar adds to a library that is there already, also what was left out since
    let _ = fs::remove_file(library);
    wait(spawn(Command::new(&ar[0]).args(&ar[1..]).arg("crs").arg(library).args(objects)));
}

fn build() {
    let csrc = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("csrc");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    for header in files(&csrc.join("include/gmemstate"), "h") {
        println!("cargo:rerun-if-changed={}", header.display());
    }
    archive(&compile(&csrc, &out), &out.join("libgmemstate.a"));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=gmemstate");
    println!("cargo:include={}", csrc.join("include").display());
}

/// Returns the first version of the library that may have another ABI: docs/abi.md.
fn next_abi() -> String {
    let part = |name: &str| env::var(name).unwrap().parse::<u32>().unwrap();
    match part("CARGO_PKG_VERSION_MAJOR") {
        0 => format!("0.{}", part("CARGO_PKG_VERSION_MINOR") + 1),
        major => format!("{}", major + 1),
    }
}

fn ask_pkg_config() {
    let pkg_config = words(&tool_var("PKG_CONFIG").unwrap_or_else(|| "pkg-config".to_string()));
    let package = if has_feature("KVM") { "gmemstate_kvm" } else { "gmemstate" };
    let version = env::var("CARGO_PKG_VERSION").unwrap();
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let output = Command::new(&pkg_config[0])
        .args(&pkg_config[1..])
        .arg("--libs")
        .arg(format!("{} >= {}", package, version))
        .arg(format!("{} < {}", package, next_abi()))
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        Ok(output) => fail(&String::from_utf8_lossy(&output.stderr)),
        Err(err) => fail(&format!("{}: {}", pkg_config[0], err)),
    };
    for word in words(&String::from_utf8_lossy(&output.stdout)) {
        if let Some(dir) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={}", dir);
        } else if let Some(library) = word.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={}", library);
        }
    }
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if has_feature("SYSTEM") {
        ask_pkg_config();
    } else {
        build();
    }
}
