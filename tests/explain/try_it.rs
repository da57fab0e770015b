#[test]
fn try_it() {
    let args = std::env::var("ARGS").unwrap();
    let args: Vec<String> = serde_json::from_str(&args).unwrap();
    let stdin = std::env::var("STDIN").unwrap_or_default();
    match crate::command::explain(args.iter().map(String::as_str), &stdin) {
        Ok(t) => println!("{t}"),
        Err(e) => println!("ERR {e}"),
    }
}
