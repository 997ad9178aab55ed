// Reports what it reads, JSON lines such as {"epoch": 1, "loss": 0.5}, to the agent, each exactly once.
import java.io.*;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.Function;
import java.util.regex.*;
import static java.nio.charset.StandardCharsets.UTF_8;

class Client {
    static final Pattern MEMBER = Pattern.compile("\"((?:[^\"\\\\]|\\\\.)*)\"\\s*:\\s*(\"(?:[^\"\\\\]|\\\\.)*\"|[^\\s{\\[,}]*)");

    private final NavigableMap<Long, String> unkept = new TreeMap<>();
    private long number;
    private SocketChannel agent; // once it has said welcome
    private boolean stopping, quiet;

    /** Names and values as they are written, of an object and those in it: all that it takes to understand the agent. */
    static Map<String, String> members(String line) {
        var members = new LinkedHashMap<String, String>();
        MEMBER.matcher(line).results().forEach(member -> members.putIfAbsent(member.group(1), member.group(2)));
        return members;
    }

    static void write(SocketChannel agent, String line) throws IOException {
        for (var bytes = UTF_8.encode(line + "\n"); bytes.hasRemaining(); ) agent.write(bytes);
    }

    synchronized void report(Map<String, String> values) throws InterruptedException {
        while (unkept.size() >= 65_536) wait(); // or, in a training, leave the report out
        if (quiet) return;
        var fields = new StringJoiner(",").add("\"number\":" + ++number);
        var metrics = new StringJoiner(",", "{", "}");
        values.forEach((name, value) -> (name.matches("epoch|step|time|checkpoint") ? fields : metrics).add("\"" + name + "\":" + value));
        unkept.put(number, "{\"report\":{" + fields + ",\"metrics\":" + metrics + "}}");
        notifyAll();
        try {
            if (agent != null) write(agent, unkept.get(number));
        } catch (IOException lost) { // which talk() hears, too
        }
    }

    synchronized void finish() throws InterruptedException {
        while (!unkept.isEmpty()) wait();
    }

    void talk(String path, String hello) throws InterruptedException {
        try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            write(channel, hello);
            var lines = new BufferedReader(Channels.newReader(channel, UTF_8));
            for (String line; (line = lines.readLine()) != null; ) hear(channel, members(line));
        } catch (IOException lost) { // or not there yet
        }
        Thread.sleep(1000);
        synchronized (this) {
            while (unkept.isEmpty()) wait();
        }
    }

    private synchronized void hear(SocketChannel channel, Map<String, String> said) throws IOException {
        var message = said.keySet().iterator().next();
        var last = said.get(message.equals("welcome") ? "kept" : message.equals("kept") ? "number" : "");
        if (last != null) unkept.headMap(Long.parseLong(last), true).clear();
        if (message.equals("welcome")) {
            for (var line : unkept.values()) write(channel, line);
            agent = channel;
        }
        if (!stopping && (message.equals("stop") || message.equals("welcome") && said.containsKey("stop"))) {
            stopping = true;
            System.out.println("stop: " + said.getOrDefault("reason", "\"\"").replaceAll("^\"|\"$", "").translateEscapes());
        }
        if (message.equals("rejected")) System.err.println(said);
        if (quiet |= said.getOrDefault("code", "").equals("\"version-not-spoken\"")) unkept.clear();
        notifyAll();
    }

    public static void main(String[] arguments) throws Exception {
        Function<String, Optional<String>> variable = name -> Optional.ofNullable(System.getenv(name)).filter(value -> !value.isEmpty());
        var directory = variable.apply("EXPERIMENTS_DIR").orElse("/experiments");
        var path = variable.apply("EXPERIMENTS_SOCKET").orElse(directory + "/agent.sock");
        var hello = "{\"hello\":{\"client\":\"" + UUID.randomUUID() + "\",\"pid\":" + ProcessHandle.current().pid() + "}}";
        var client = new Client();
        Callable<Void> talk = () -> { while (true) client.talk(path, hello); };
        new ForkJoinPool(1).submit(talk); // in a daemon thread
        var input = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line; (line = input.readLine()) != null; ) client.report(members(line));
        client.finish();
    }
}
