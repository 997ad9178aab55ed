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
    static final String TEXT = "\"(?:[^\"\\\\]|\\\\.)*\"";
    static final Pattern PART = Pattern.compile("[{\\[]|[}\\]]|(%s)\\s*:\\s*(%s|[^\\s{\\[,}]*)|%s".formatted(TEXT, TEXT, TEXT));

    private final NavigableMap<Long, String> unkept = new TreeMap<>();
    private long number, sent;
    private boolean welcome, stopping, quiet;

    /** Names and values, as they are written, of the objects at this depth. A program would use a library for JSON. */
    static Map<String, String> members(String line, int depth) {
        var members = new LinkedHashMap<String, String>();
        for (var part = PART.matcher(line); part.find(); ) {
            if (part.group(1) != null && depth == 0) members.put(part.group(1), part.group(2));
            depth += part.group().matches("[{\\[]") ? -1 : part.group().matches("[}\\]]") ? 1 : 0;
        }
        return members;
    }

    static void write(SocketChannel agent, String line) throws IOException {
        for (var bytes = UTF_8.encode(line + "\n"); bytes.hasRemaining(); ) agent.write(bytes);
    }

    synchronized void report(Map<String, String> values) {
        if (quiet) return;
        if (unkept.size() == 65_536) unkept.pollFirstEntry(); // the oldest is left out
        var fields = new StringJoiner(",").add("\"number\":" + ++number);
        var metrics = new StringJoiner(",", "{", "}");
        values.forEach((name, value) -> (name.matches("\"(epoch|step|time)\"") ? fields : metrics).add(name + ":" + value));
        unkept.put(number, "{\"report\":{" + fields + ",\"metrics\":" + metrics + "}}");
        notifyAll();
    }

    synchronized void finish() throws InterruptedException {
        while (!unkept.isEmpty()) wait();
    }

    void talk(String path, String hello) throws InterruptedException {
        try (var agent = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            write(agent, hello);
            new Thread(() -> listen(agent)).start();
            for (String line; (line = next(agent)) != null; ) write(agent, line);
        } catch (IOException lost) { // or not there yet
        }
        Thread.sleep(1000);
        synchronized (this) {
            while (unkept.isEmpty()) wait();
        }
    }

    /** The next line to write; an empty one is nothing. */
    private synchronized String next(SocketChannel agent) throws InterruptedException {
        while (agent.isOpen() && (!welcome || sent == number)) wait();
        return agent.isOpen() ? unkept.getOrDefault(++sent, "") : null;
    }

    private void listen(SocketChannel agent) {
        try (agent) {
            var lines = new BufferedReader(Channels.newReader(agent, UTF_8));
            for (String line; (line = lines.readLine()) != null; ) hear(line);
        } catch (IOException lost) {
        }
        synchronized (this) {
            welcome = false;
            notifyAll();
        }
    }

    private synchronized void hear(String line) throws IOException {
        var said = members(line, 2);
        switch (String.join("", members(line, 1).keySet())) {
            case "\"welcome\"" -> {
                welcome = true;
                sent = forget(said.get("\"kept\""));
                if (said.containsKey("\"stop\"")) stop(members(line, 3).get("\"reason\""));
            }
            case "\"kept\"" -> forget(said.get("\"number\""));
            case "\"stop\"" -> stop(said.get("\"reason\""));
            case "\"rejected\"" -> {
                System.err.println(said);
                if (said.get("\"code\"").equals("\"client-id-taken\"")) throw new IOException(line); // and try again
                if (quiet |= said.get("\"code\"").equals("\"version-not-spoken\"")) unkept.clear();
            }
            default -> {}
        }
        notifyAll();
    }

    private long forget(String last) {
        var number = last == null ? 0 : Long.parseLong(last);
        unkept.headMap(number, true).clear();
        return number;
    }

    private void stop(String reason) {
        if (!stopping) System.out.println("stop: " + (reason == null ? "" : reason.replaceAll("^\"|\"$", "").translateEscapes()));
        stopping = true;
    }

    public static void main(String[] arguments) throws Exception {
        Function<String, Optional<String>> variable = name -> Optional.ofNullable(System.getenv(name)).filter(value -> !value.isEmpty());
        var directory = variable.apply("EXPERIMENTS_DIR").orElse("/experiments");
        var path = variable.apply("EXPERIMENTS_SOCKET").orElse(directory + "/agent.sock");
        if (path.equals("none")) { // nothing is to be reported
            System.in.transferTo(OutputStream.nullOutputStream());
            return;
        }
        var hello = "{\"hello\":{\"client\":\"" + UUID.randomUUID() + "\",\"pid\":" + ProcessHandle.current().pid() + "}}";
        var client = new Client();
        Callable<Void> talk = () -> { while (true) client.talk(path, hello); };
        new ForkJoinPool(1).submit(talk); // in a daemon thread
        var input = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line; (line = input.readLine()) != null; ) client.report(members(line, 1));
        client.finish();
    }
}
