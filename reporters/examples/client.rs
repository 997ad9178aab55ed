// Reports what it reads, JSON lines such as {"epoch": 1, "loss": 0.5}, to the agent, each exactly once.
use std::collections::{hash_map::RandomState, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex};
use std::{env, process, thread, time::Duration};

#[derive(Default)]
struct State {
    kept: u64,                // number of the last report that is kept
    unkept: VecDeque<String>, // the reports after it
    sent: u64,                // number of the last that went over this connection
    connected: bool,
    welcome: bool,
    stopping: bool,
    quiet: bool,
}

#[derive(Default)]
struct Client(Mutex<State>, Condvar);

/// Depth, name and value, as they are written, of all members. A program would use serde_json.
fn members(line: &str) -> Vec<(i32, &str, &str)> {
    let (mut words, mut depth, mut rest) = (vec![], 0, line);
    while let Some(start) = rest.find(|c: char| !", \t\r".contains(c)) {
        rest = &rest[start..];
        let mut escaped = true; // the first quote is no end
        let end = match rest.as_bytes()[0] {
            b'"' => rest.find(|c| {
                let found = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                found
            }).map_or(rest.len(), |at| at + 1),
            b':' | b'{' | b'}' | b'[' | b']' => 1,
            _ => rest.find(|c| ",:{}[] \t\r".contains(c)).unwrap_or(rest.len()),
        };
        let word = &rest[..end];
        words.push((depth, word));
        depth += matches!(word, "{" | "[") as i32 - matches!(word, "}" | "]") as i32;
        rest = &rest[end..];
    }
    words.windows(3).filter(|word| word[1].1 == ":").map(|word| (word[0].0, word[0].1.trim_matches('"'), word[2].1)).collect()
}

impl Client {
    fn report(&self, line: &str) {
        let mut state = self.0.lock().unwrap();
        if state.quiet || state.unkept.len() >= 65_536 {
            return; // there is no room: the report is left out
        }
        let (x, metrics): (Vec<_>, Vec<_>) = members(line).into_iter().partition(|(_, name, _)| ["epoch", "step"].contains(name));
        let join = |members: Vec<_>| members.iter().map(|(_, name, value)| format!(",\"{name}\":{value}")).collect::<String>();
        let (number, x, metrics) = (state.kept + state.unkept.len() as u64 + 1, join(x), join(metrics));
        let metrics = metrics.trim_start_matches(',');
        let line = format!("{{\"report\":{{\"number\":{number}{x},\"metrics\":{{{metrics}}}}}}}\n");
        state.unkept.push_back(line);
        self.1.notify_all();
    }

    fn talk(&'static self, path: &str, hello: &str) -> io::Result<()> {
        let mut agent = UnixStream::connect(path)?;
        agent.write_all(hello.as_bytes())?;
        let listener = agent.try_clone()?;
        self.0.lock().unwrap().connected = true;
        thread::spawn(move || self.listen(listener));
        while let Some(line) = self.next() {
            let _ = agent.write_all(line.as_bytes()); // where that fails, listen() comes to its end
        }
        Ok(())
    }

    fn next(&self) -> Option<String> {
        let idle = |state: &mut State| !state.welcome || state.sent == state.kept + state.unkept.len() as u64;
        let mut state = self.1.wait_while(self.0.lock().unwrap(), |state| state.connected && idle(state)).unwrap();
        state.sent += 1;
        state.connected.then(|| state.unkept[(state.sent - state.kept - 1) as usize].clone())
    }

    fn listen(&self, agent: UnixStream) {
        let _ = BufReader::new(&agent).lines().try_for_each(|line| self.hear(&line?));
        let _ = agent.shutdown(Shutdown::Both);
        let mut state = self.0.lock().unwrap();
        (state.connected, state.welcome) = (false, false);
        self.1.notify_all();
    }

    fn hear(&self, line: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let members = members(line);
        let member = |depth, name| members.iter().find(|member| (member.0, member.1) == (depth, name)).map(|member| member.2);
        let message = members.first().map_or("", |member| member.1);
        let welcome = message == "welcome";
        let last = member(2, if welcome { "kept" } else if message == "kept" { "number" } else { "" });
        let last = last.and_then(|number| number.parse().ok()).unwrap_or(0);
        while state.kept < last && state.unkept.pop_front().is_some() {
            state.kept += 1;
        }
        state.sent = if welcome { state.kept } else { state.sent.max(state.kept) };
        state.welcome |= welcome;
        if (message == "stop" || welcome && member(2, "stop").is_some()) && !state.stopping {
            state.stopping = true;
            let reason = member(if welcome { 3 } else { 2 }, "reason").unwrap_or("").trim_matches('"');
            println!("stop: {}", reason.replace("\\\"", "\"").replace("\\/", "/"));
        }
        let code = if message == "rejected" { member(2, "code") } else { None };
        if code == Some("\"client-id-taken\"") {
            return Err(io::ErrorKind::AddrInUse.into()); // and try again
        }
        if code == Some("\"version-not-spoken\"") {
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
    if path == "none" {
        return drop(io::copy(&mut io::stdin(), &mut io::sink())); // nothing is to be reported
    }
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
