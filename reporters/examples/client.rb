#!/usr/bin/ruby
# Reports what it reads, JSON lines such as {"epoch": 1, "loss": 0.5}, to the agent, each exactly once.
require "json"
require "monitor"
require "securerandom"
require "socket"

class Client < Monitor
  FIELDS = %w[epoch step time checkpoint]

  # stop is called with the reason when the training is to stop.
  def initialize(&stop)
    super()
    @path = ENV["EXPERIMENTS_SOCKET"] || "#{ENV["EXPERIMENTS_DIR"] || "/experiments"}/agent.sock"
    @hello = { client: SecureRandom.hex(8), program: $0, pid: Process.pid }
    @stop, @changed = stop, new_cond
    @number, @unkept = 0, {} # of unkept: number and line, in order
    Thread.new { loop { talk; sleep 1; synchronize { @changed.wait_while { @unkept.empty? } } } }
  end

  def report(values)
    return if @quiet
    fields, metrics = values.partition { |name, _| FIELDS.include?(name) }.map(&:to_h)
    synchronize do
      @number += 1
      @unkept[@number] = JSON.generate(report: { number: @number, **fields, metrics: metrics })
      @agent&.puts @unkept[@number] rescue nil # talk hears of it
      @changed.broadcast
    end
  end

  # Until at most so many reports are not kept.
  def wait(most = 0) = synchronize { @changed.wait_while { @unkept.size > most } }

  private def talk
    UNIXSocket.open(@path) do |agent|
      agent.puts JSON.generate(hello: @hello)
      agent.each_line { |line| synchronize { hear(agent, **JSON.parse(line, symbolize_names: true)) } }
    end
  rescue SystemCallError # it is not there, or not there any more
  ensure
    synchronize { @agent = nil }
  end

  private def hear(agent, welcome: nil, kept: nil, stop: welcome && welcome[:stop], rejected: nil, **)
    last = (welcome ? welcome[:kept] : kept && kept[:number]) || 0
    @unkept.shift while @unkept.any? && @unkept.first[0] <= last
    (@agent = agent).write(*@unkept.values.map { |line| "#{line}\n" }) if welcome
    @stop.call(stop[:reason]) if stop
    warn rejected if rejected
    @quiet = @unkept.clear if rejected && rejected[:code] == "version-not-spoken"
    @changed.broadcast
  end
end

$stdout.sync = true
client = Client.new { |reason| puts "stop: #{reason}" unless $stopping; $stopping = true }
$stdin.each_line { |line| client.report(JSON.parse(line)); client.wait(65_536) }
client.wait
