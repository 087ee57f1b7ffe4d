// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What the headers declare. The parser knows the style of these headers, and not all of C.

use std::collections::BTreeMap;
use std::fs;

use super::{csrc, Facts};

/// Returns the text of all headers without comments and continued lines.
fn text() -> String {
    let mut all = String::new();
    let mut names: Vec<_> = fs::read_dir(csrc("include/gmemstate"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| cfg!(feature = "kvm") || !path.ends_with("kvm.h"))
        .collect();
    names.sort();
    for name in names {
        all += &fs::read_to_string(name).unwrap();
    }
    let mut text = String::new();
    let mut rest = all.as_str();
    while let Some(at) = rest.find("/*") {
        text += &rest[..at];
        rest = &rest[at + rest[at..].find("*/").unwrap() + 2..];
    }
    (text + rest).replace("\\\n", " ")
}

/// Translates a type of C into the one that the crate has for it.
fn rust_type(c: &str) -> String {
    let plain = c.replace('*', " ").replace("const ", " ");
    let words: Vec<&str> =
        plain.split_whitespace().filter(|word| !["struct", "enum"].contains(word)).collect();
    let base = match words.join(" ").as_str() {
        "void" => "c_void".to_string(),
        "int" => "c_int".to_string(),
        "unsigned int" => "c_uint".to_string(),
        "char" => "c_char".to_string(),
        "uint64_t" => "u64".to_string(),
        "uint32_t" => "u32".to_string(),
        "size_t" => "usize".to_string(),
        other => other.to_string(),
    };
    let mut pointer = if c.contains("const ") { "*const " } else { "*mut " };
    let mut all = base;
    for _ in c.matches('*') {
        all = format!("{}{}", pointer, all);
        pointer = "*mut ";
    }
    all
}

/// Splits "unsigned int order" into the type and the name.
fn split_name(declaration: &str) -> (&str, &str) {
    let declaration = declaration.trim();
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let at = declaration.rfind(|c| !is_name(c)).map_or(0, |at| at + 1);
    (&declaration[..at], &declaration[at..])
}

/// Returns "(u64, *mut c_void) -> c_int", as the rust side has it.
fn signature(result: &str, parameters: &str) -> String {
    let types: Vec<String> = parameters
        .split(',')
        .filter(|parameter| parameter.trim() != "void")
        .map(|parameter| rust_type(split_name(parameter).0))
        .collect();
    let result = match result.trim() {
        "void" => String::new(),
        other => format!(" -> {}", rust_type(other)),
    };
    format!("({}){}", types.join(", "), result)
}

pub fn functions() -> Facts {
    let text = text();
    let mut all = Facts::new();
    for part in text.split("\nGMS_API ").skip(1) {
        let open = part.find('(').unwrap();
        let close = open + part[open..].find(')').unwrap();
        let (result, name) = split_name(&part[..open]);
        all.insert(name.to_string(), signature(result, &part[open + 1..close]));
    }
    all
}

/// Returns the fields of each struct that is declared with fields, as C declares them.
fn declarations() -> BTreeMap<String, Vec<String>> {
    let text = text();
    let mut all = BTreeMap::new();
    for part in text.split("\nstruct ").skip(1) {
        let (name, rest) = match part.split_once(" {") {
            Some(split) => split,
            None => continue,
        };
        if name.contains(|c: char| !c.is_alphanumeric() && c != '_') {
            continue;
        }
        let body = &rest[..rest.find("\n}").unwrap()];
        let fields = body.split(';').map(str::trim).filter(|field| !field.is_empty());
        all.insert(name.to_string(), fields.map(String::from).collect());
    }
    all
}

/// Returns the names of the fields of each struct.
pub fn structs() -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for (name, declarations) in declarations() {
        let mut fields = Vec::new();
        for field in declarations {
            if let Some(hook) = hook_name(&field) {
                fields.push(hook.to_string());
                continue;
            }
            for one in field.split(',') {
                let one = one.split('[').next().unwrap();
                fields.push(split_name(one).1.to_string());
            }
        }
        all.insert(name, fields);
    }
    all
}

/// Returns the name of a field that is a pointer to a function.
fn hook_name(field: &str) -> Option<&str> {
    let at = field.find("(*")? + 2;
    Some(&field[at..at + field[at..].find(')')?])
}

/// Returns the signature of each field that is a pointer to a function.
pub fn hooks() -> Facts {
    let mut all = Facts::new();
    for (name, declarations) in declarations() {
        for field in declarations {
            let hook = match hook_name(&field) {
                Some(hook) => hook,
                None => continue,
            };
            let (result, rest) = field.split_once("(*").unwrap();
            let parameters = rest.split_once('(').unwrap().1.trim_end_matches(')');
            all.insert(format!("{}.{}", name, hook), signature(result, parameters));
        }
    }
    all
}

/// Returns the names of all constants: of macros without parameters that are numbers, and of
/// enumerators.
pub fn constants() -> Vec<String> {
    let text = text();
    let mut all = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (define, name, value) = (words.next(), words.next(), words.next());
        match (define, name, value) {
            (Some("#define"), Some(name), Some(value))
                if name.starts_with("GMS_")
                    && !name.contains('(')
                    && value.starts_with(|c: char| c == '(' || c.is_ascii_digit()) =>
            {
                all.push(name.to_string())
            }
            _ => {}
        }
    }
    for part in text.split("\nenum ").skip(1) {
        let body = match part.split_once(" {") {
            Some((name, rest)) if !name.contains(' ') => &rest[..rest.find('}').unwrap()],
            _ => continue,
        };
        for one in body.split(',') {
            let name = one.split('=').next().unwrap().trim();
            if !name.is_empty() {
                all.push(name.to_string());
            }
        }
    }
    all
}
