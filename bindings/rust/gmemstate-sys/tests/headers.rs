// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The declarations of this crate are those of the headers, and of gmemstate.map.
//!
//! The tests read the headers: all functions with their parameters, the fields of all structs, all
//! constants. A C program that they write, compile and run prints sizes, offsets and values. Each
//! side is a map from a name to a text. Whatever is missing on one side, or differs, is listed.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

mod c;
mod rust;

type Facts = BTreeMap<String, String>;

fn csrc(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("csrc").join(name)
}

/// Fails, and lists each name that the two sides do not have alike.
fn compare(what: &str, c: &Facts, rust: &Facts) {
    let mut wrong = Vec::new();
    for (name, text) in c {
        match rust.get(name) {
            None => wrong.push(format!("{}: missing in Rust", name)),
            Some(other) if other != text => {
                wrong.push(format!("{}: C has {}, Rust has {}", name, text, other))
            }
            Some(_) => {}
        }
    }
    for name in rust.keys().filter(|name| !c.contains_key(*name)) {
        wrong.push(format!("{}: missing in C", name));
    }
    assert!(wrong.is_empty(), "{}:\n{}", what, wrong.join("\n"));
    assert!(!c.is_empty(), "{}: nothing was found", what);
}

/// Compiles and runs a C program. Returns the lines "name value" that it prints.
fn run_c(name: &str, source: &str) -> Facts {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (file, program) = (dir.join(format!("{}.c", name)), dir.join(name));
    fs::write(&file, source).unwrap();
    let cc = env::var("CC").unwrap_or_else(|_| "cc".to_string());
    let mut words = cc.split_whitespace();
    let status = Command::new(words.next().unwrap())
        .args(words)
        .args(["-std=gnu11", "-Wall", "-Werror", "-I"])
        .arg(csrc("include"))
        .arg(&file)
        .arg("-o")
        .arg(&program)
        .status()
        .expect("the C compiler starts");
    assert!(status.success());
    let output = Command::new(&program).output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn program(body: &str) -> String {
    let kvm = if cfg!(feature = "kvm") { "#include <gmemstate/kvm.h>\n" } else { "" };
    format!(
        "#include <errno.h>\n#include <stdio.h>\n#include <gmemstate/gmemstate.h>\n{}\
         int main(void)\n{{\n{}\treturn 0;\n}}\n",
        kvm, body
    )
}

#[test]
fn functions_have_the_parameters_of_the_headers() {
    compare("functions", &c::functions(), &rust::functions());
}

#[test]
fn functions_are_those_of_the_map() {
    let map = fs::read_to_string(csrc("src/gmemstate.map")).unwrap();
    let mut exported = Facts::new();
    for line in map.lines() {
        if let Some(name) = line.trim().strip_suffix(';').filter(|name| name.starts_with("gms_")) {
            exported.insert(name.to_string(), String::new());
        }
    }
    let declared: Facts = rust::functions()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("gms_kvm_"))
        .map(|(name, _)| (name, String::new()))
        .collect();
    compare("gmemstate.map", &exported, &declared);
}

#[test]
fn structs_have_the_layout_of_the_headers() {
    let mut body = String::new();
    for (name, fields) in c::structs() {
        body += &format!("\tprintf(\"{0} %zu\\n\", sizeof(struct {0}));\n", name);
        for field in fields {
            body += &format!(
                "\tprintf(\"{0}.{1} %zu+%zu\\n\", offsetof(struct {0}, {1}), \
                 sizeof(((struct {0} *)0)->{1}));\n",
                name, field
            );
        }
    }
    compare("structs", &run_c("structs", &program(&body)), &rust::layouts());
}

#[test]
fn hooks_have_the_parameters_of_the_headers() {
    compare("hooks", &c::hooks(), &rust::hooks());
}

#[test]
fn constants_have_the_values_of_the_headers() {
    let mut values = rust::constants();
    values.extend(rust::errnos());
    let mut body = String::new();
    for name in c::constants() {
        body += &format!("\tprintf(\"{0} %lld\\n\", (long long)({0}));\n", name);
    }
    for name in rust::errnos().keys() {
        body += &format!("\tprintf(\"{0} %d\\n\", {0});\n", name);
    }
    body += "\tprintf(\"gms_version_number %d\\n\", GMS_VERSION_NUMBER(1, 2, 3));\n";
    body += "\tprintf(\"gms_prepared_at %d\\n\", GMS_PREPARED_AT(9));\n";
    compare("constants", &run_c("constants", &program(&body)), &values);
}

/// The functions can also be linked and called, and the library is as old as its headers.
#[test]
fn the_library_has_the_version_of_the_headers() {
    use gmemstate_sys::*;

    let expected = gms_version_number(GMS_VERSION_MAJOR, GMS_VERSION_MINOR, GMS_VERSION_PATCH);
    // SAFETY: a pure function
    assert_eq!(unsafe { gms_version() }, expected);
    let of_crate: Vec<u32> =
        env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse().unwrap()).collect();
    assert_eq!(of_crate, [GMS_VERSION_MAJOR, GMS_VERSION_MINOR, GMS_VERSION_PATCH]);
}

/// A state object lives and dies through the raw interface.
#[test]
fn an_object_converts() {
    use gmemstate_sys::*;

    let opts = gms_state_opts { nr_pages: 1024, flags: GMS_INIT_PRIVATE, ..gms_state_opts::INIT };
    let mut state = std::ptr::null_mut();
    let mut at = 0;
    // SAFETY: the pointers are valid, and the object is used before it is destroyed
    unsafe {
        assert_eq!(gms_state_create(&opts, &mut state), 0);
        assert_eq!(gms_convert(state, 3, 4, GMS_SHARED, 0, &mut at), 0);
        assert_eq!(gms_count(state, 0, 1024, GMS_SHARED), 4);
        assert_eq!(gms_summary(state, 0, GMS_ORDER_2M), GMS_MIXED);
        gms_state_destroy(state);
    }
}

/// The backend for KVM is in the library, and refuses what is no VM.
#[test]
#[cfg(feature = "kvm")]
fn the_backend_for_kvm_is_linked() {
    use gmemstate_sys::*;

    let opts = gms_kvm_opts { nr_pages: 512, nr_slots: 4, ..gms_kvm_opts::INIT };
    let mut kvm = std::ptr::null_mut();
    // SAFETY: the pointers are valid; the name is a constant string
    unsafe {
        assert_eq!(gms_kvm_ways(-1), 0);
        assert_ne!(gms_kvm_create(&opts, &mut kvm), 0);
        let name = std::ffi::CStr::from_ptr(gms_kvm_way_name(GMS_KVM_MEMSLOTS));
        assert_eq!(name.to_str(), Ok("memslots"));
        assert!((*gms_kvm_backend()).apply.is_some());
    }
    assert!(kvm.is_null());
}
