//! `sponte init`: what it makes, what it never does.

mod common;

use common::{one_object, run, run_with_stdin};

const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                     abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                     abandon abandon abandon art";

#[test]
fn a_node_is_made_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = run(dir.path(), &["--network", "regtest", "--json", "init"]).json();
    let words = made["seed_words"].as_str().expect("words").to_owned();
    assert_eq!(words.split(' ').count(), 24);
    assert_eq!(made["network"], "regtest");
    let node = dir.path().join("node");
    assert_eq!(std::fs::read_to_string(node.join("seed")).expect("there").trim(), words);

    let again = run(dir.path(), &["init"]).failed(13);
    assert!(again.contains("never overwritten") && again.contains("`sponte run --dir "), "{again}");
    let restored = run_with_stdin(dir.path(), &["init", "--restore"], WORDS).failed(13);
    assert!(restored.contains("never overwritten"), "{restored}");
    assert_eq!(std::fs::read_to_string(node.join("seed")).expect("there").trim(), words);
}

#[test]
fn two_seeds_and_two_tokens_are_never_the_same() {
    let read = || {
        let dir = tempfile::tempdir().expect("a folder");
        run(dir.path(), &["init"]).well();
        let read = |name: &str| std::fs::read_to_string(dir.path().join("node").join(name)).expect("there");
        (read("seed"), read("token"))
    };
    let (one, other) = (read(), read());
    assert_ne!(one.0, other.0);
    assert_ne!(one.1, other.1);
    assert_eq!(one.1.trim().len(), 64);
}

#[test]
fn the_words_are_shown_once_and_to_people_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = run(dir.path(), &["init"]).well();
    let seed = std::fs::read_to_string(dir.path().join("node/seed")).expect("there");
    for (number, word) in seed.split_whitespace().enumerate() {
        assert!(text.contains(&format!("{} {word}", number + 1)), "word {}: {text}", number + 1);
    }
    assert!(text.contains("sponte run --dir"), "{text}");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &["init"]).well();
    let mode = |name: &str| {
        let path = dir.path().join("node").join(name);
        std::fs::metadata(path).expect("there").permissions().mode() & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["seed", "token", "sponte.toml"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

#[test]
fn a_seed_is_restored_from_stdin() {
    let dir = tempfile::tempdir().expect("a folder");
    let typed = WORDS.to_uppercase().replace(' ', "\n");
    let made =
        run_with_stdin(dir.path(), &["init", "--restore", "--birthday-height", "850000", "--json"], &typed)
            .json();
    assert!(made.get("seed_words").is_none(), "known words are not shown");
    assert_eq!(made["birthday_height"], 850_000);
    let read = |name: &str| std::fs::read_to_string(dir.path().join("node").join(name)).expect("there");
    assert_eq!(read("seed").trim(), WORDS);
    assert_eq!(read("birthday").trim(), "850000");
}

#[test]
fn bad_words_make_nothing() {
    let wrong = WORDS.replace("art", "artt");
    let swapped = WORDS.replace("art", "about");
    for (words, code) in [("", 2), ("abandon", 2), (wrong.as_str(), 2), (swapped.as_str(), 2)] {
        let dir = tempfile::tempdir().expect("a folder");
        let line = run_with_stdin(dir.path(), &["init", "--restore"], words).failed(code);
        assert!(!line.contains("artt"), "a seed is never repeated: {line}");
        assert!(!dir.path().join("node").exists(), "{words}");
    }
}

/// A new seed beside the channels of another would be a node that can use neither.
#[test]
fn a_folder_that_lost_its_seed_gets_no_other() {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &["init"]).well();
    let node = dir.path().join("node");
    std::fs::write(node.join("sponte.db"), "channels").expect("written");
    std::fs::remove_file(node.join("seed")).expect("there");
    for args in [&["init"][..], &["init", "--restore"], &["run"], &["info"]] {
        let line = run_with_stdin(dir.path(), args, WORDS).failed(11);
        assert!(line.contains("put its words back into") && line.contains("node/seed"), "{args:?}: {line}");
    }
    assert!(!node.join("seed").exists());
}

#[test]
fn a_birthday_belongs_to_a_restored_seed() {
    let dir = tempfile::tempdir().expect("a folder");
    let line = run(dir.path(), &["init", "--birthday-height", "7"]).failed(2);
    assert!(line.contains("--restore"), "{line}");
}

#[test]
fn settings_that_wait_in_the_folder_are_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("node")).expect("made");
    let settings = dir.path().join("node/sponte.toml");
    std::fs::write(&settings, "network = \"testnet4\"\n").expect("written");
    let made = run(dir.path(), &["init", "--json"]).json();
    assert_eq!(made["network"], "testnet4");
    assert_eq!(std::fs::read_to_string(&settings).expect("there"), "network = \"testnet4\"\n");
}

#[test]
fn a_folder_that_cannot_be_made() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("node"), "in the way").expect("written");
    let ended = run(dir.path(), &["init", "--json"]);
    let object = one_object(&ended.stdout);
    assert_eq!(object["error"]["code"], "storage");
    ended.failed(18);
}
