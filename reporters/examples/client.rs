// Reports what it reads, JSON lines such as {"epoch": 1, "loss": 0.5}, to the agent, each exactly once.
use std::collections::{hash_map::RandomState, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex};
use std::{env, process, thread, time::Duration};

#[derive(Default)]
struct State {
    kept: u64,                // number of the last report that is kept
    unkept: VecDeque<String>, // the reports after it
    agent: Option<UnixStream>,
    stopping: bool,
    quiet: bool,
}

#[derive(Default)]
struct Client(Mutex<State>, Condvar);

/// What is behind a member's name, without serde. Within a text the name would be followed by a backslash.
fn member<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{name}\""))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

fn number(line: &str, name: &str) -> u64 {
    let digits = member(line, name).and_then(|value| value.split(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn text(line: &str, name: &str) -> Option<String> {
    let value = member(line, name)?.strip_prefix('"')?;
    let (end, _) = value.match_indices('"').find(|&(at, _)| !value[..at].ends_with('\\'))?;
    Some(value[..end].replace("\\\"", "\"").replace("\\/", "/"))
}

impl Client {
    fn report(&self, line: &str) {
        // In a training: leave the report out where that many are not kept.
        let mut state = self.1.wait_while(self.0.lock().unwrap(), |state| state.unkept.len() >= 65_536).unwrap();
        if state.quiet {
            return;
        }
        let words: Vec<&str> = line.split('"').skip(1).collect(); // a name, its number, and so on
        let pairs = words.chunks_exact(2).map(|pair| (pair[0], pair[1].trim_matches(&[' ', ':', ',', '}', '\r'][..])));
        let (x, metrics): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| ["epoch", "step"].contains(name));
        let join = |pairs: Vec<_>| pairs.iter().map(|(name, value)| format!(",\"{name}\":{value}")).collect::<String>();
        let (number, x, metrics) = (state.kept + state.unkept.len() as u64 + 1, join(x), join(metrics));
        let metrics = metrics.trim_start_matches(',');
        let line = format!("{{\"report\":{{\"number\":{number}{x},\"metrics\":{{{metrics}}}}}}}\n");
        let _ = state.agent.as_mut().map(|agent| agent.write_all(line.as_bytes())); // talk() hears of an error
        state.unkept.push_back(line);
        self.1.notify_all();
    }

    fn talk(&self, path: &str, hello: &str) -> io::Result<()> {
        let mut agent = UnixStream::connect(path)?;
        agent.write_all(hello.as_bytes())?;
        BufReader::new(&agent).lines().try_for_each(|line| self.hear(&line?, &agent))
    }

    fn hear(&self, line: &str, mut agent: &UnixStream) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let message = line.split('"').nth(1).unwrap_or("");
        let welcome = message == "welcome";
        let last = number(line, if welcome { "kept" } else if message == "kept" { "number" } else { "" });
        while state.kept < last && state.unkept.pop_front().is_some() {
            state.kept += 1;
        }
        if welcome {
            state.unkept.iter().try_for_each(|line| agent.write_all(line.as_bytes()))?;
            state.agent = Some(agent.try_clone()?);
        }
        if (message == "stop" || welcome && member(line, "stop").is_some()) && !state.stopping {
            state.stopping = true;
            println!("stop: {}", text(line, "reason").unwrap_or_default());
        }
        if message == "rejected" && line.contains("\"version-not-spoken\"") {
            state.quiet = true;
            state.unkept.clear();
        }
        self.1.notify_all();
        Ok(())
    }
}

fn main() {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let directory = variable("EXPERIMENTS_DIR").unwrap_or("/experiments".into());
    let path = variable("EXPERIMENTS_SOCKET").unwrap_or(format!("{directory}/agent.sock"));
    let id = RandomState::new().build_hasher().finish(); // random
    let hello = format!("{{\"hello\":{{\"client\":\"{id:016x}\",\"pid\":{}}}}}\n", process::id());
    let client: &'static Client = Box::leak(Box::default());
    thread::spawn(move || loop {
        let _ = client.talk(&path, &hello);
        thread::sleep(Duration::from_secs(1));
        drop(client.1.wait_while(client.0.lock().unwrap(), |state| state.unkept.is_empty()));
    });
    io::stdin().lock().lines().for_each(|line| client.report(&line.unwrap()));
    drop(client.1.wait_while(client.0.lock().unwrap(), |state| !state.unkept.is_empty()));
}
