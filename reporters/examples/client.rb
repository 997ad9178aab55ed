#!/usr/bin/ruby
# Reports what it reads, JSON lines such as {"epoch": 1, "loss": 0.5}, to the agent, each exactly once.
require "json"
require "monitor"
require "securerandom"
require "socket"

class Client < Monitor
  FIELDS = %w[epoch step time checkpoint]
  LIMIT = 65_536 # reports that are not kept

  # stop is called with the reason when the training is to stop.
  def initialize(&stop)
    super()
    socket, directory = ENV.values_at("EXPERIMENTS_SOCKET", "EXPERIMENTS_DIR").map { |value| value unless value == "" }
    @path = socket || "#{directory || "/experiments"}/agent.sock"
    @hello = { client: SecureRandom.hex(8), program: $0, pid: Process.pid }
    @stop, @changed = stop, new_cond
    @quiet = @path == "none" # nothing is to be reported
    @number, @sent, @unkept = 0, 0, {} # of unkept: number and line, in order
    Thread.new { loop { talk; sleep 1; synchronize { @changed.wait_while { @unkept.empty? } } } } unless @quiet
  end

  def report(values)
    return if @quiet
    fields, metrics = values.partition { |name, _| FIELDS.include?(name) }.map(&:to_h)
    synchronize do
      @number += 1
      @unkept[@number] = JSON.generate(report: { number: @number, **fields, metrics: metrics })
      @unkept.shift if @unkept.size > LIMIT # the oldest is left out
      @changed.broadcast
    end
  end

  # Until all is kept.
  def wait = synchronize { @changed.wait_until { @unkept.empty? } }

  private def talk
    UNIXSocket.open(@path) do |agent|
      agent.puts JSON.generate(hello: @hello)
      agent.each_line { |line| synchronize { hear(agent, **JSON.parse(line, symbolize_names: true)) } }
    end
  rescue SystemCallError # it is not there, or not there any more
  ensure
    @sender = @sender&.kill && nil
  end

  private def tell(agent)
    loop { agent.puts synchronize { @changed.wait_while { @sent >= @number }; @unkept[@sent += 1] } } # an empty line is nothing
  rescue SystemCallError, IOError # talk ends, too
  end

  private def hear(agent, welcome: nil, kept: nil, stop: welcome && welcome[:stop], rejected: nil, **)
    last = (welcome ? welcome[:kept] : kept && kept[:number]) || 0
    @unkept.shift while @unkept.any? && @unkept.first[0] <= last
    @sent, @sender = last, Thread.new { tell(agent) } if welcome
    @stop.call(stop[:reason]) if stop
    warn rejected if rejected
    agent.shutdown if rejected && rejected[:code] == "client-id-taken" # and try again
    @quiet = @unkept.clear if rejected && rejected[:code] == "version-not-spoken"
    @changed.broadcast
  end
end

$stdout.sync = true
client = Client.new { |reason| puts "stop: #{reason}" unless $stopping; $stopping = true }
$stdin.each_line { |line| client.report(JSON.parse(line)) }
client.wait
