# Sidekiq's own API, and a worker of our own whose clock we move, for tests in another language: reads lines
# [method, argument, ...] of JSON and answers each one with a line of JSON.

require_relative "jobs"
require "sidekiq/api"
require "sidekiq/fetch"
require "sidekiq/job_retry"
require "sidekiq/processor"
require "sidekiq/scheduled"

Sidekiq.logger.level = Logger::FATAL + 1

# What Sidekiq takes for the time stands still where the test puts it.
module Clock
  class << self
    attr_accessor :ms
  end

  def now
    Clock.ms ? at(Clock.ms / 1000, Clock.ms % 1000, :millisecond) : super
  end
end
Time.singleton_class.prepend(Clock)

SEVEN = Sidekiq.respond_to?(:default_configuration)
SETS = {"retry" => Sidekiq::RetrySet, "dead" => Sidekiq::DeadSet, "schedule" => Sidekiq::ScheduledSet}.freeze

class World
  def version
    Sidekiq::VERSION
  end

  def at(ms)
    Clock.ms = ms
  end

  # `jobs`: [[name, failures, seconds, payload], options] each. The jids.
  def push(jobs)
    jobs.map do |args, options|
      Sidekiq::Client.push({"class" => "Record", "args" => args, "queue" => "default"}.merge(options))
    end
  end

  # Takes `count` jobs from the queues and runs them here, as a worker does.
  def work(count, queues = ["default"])
    processor = processor_of(queues)
    count.times do
      processor.send(:process_one)
    rescue IOError, Sidekiq::JobRetry::Handled
      next
    end
  end

  # What the poller of a process does.
  def poll
    (SEVEN ? Sidekiq::Scheduled::Enq.new(Sidekiq.default_configuration) : Sidekiq::Scheduled::Enq.new).enqueue_jobs
  end

  # What the button of the web UI does, for those whose jid is named.
  def retry_by_hand(set, jids)
    SETS[set].new.to_a.each { |entry| entry.retry if jids.include?(entry.jid) }
  end

  def delete_by_hand(set, jids)
    SETS[set].new.to_a.each { |entry| entry.delete if jids.include?(entry.jid) }
  end

  def kill_by_hand(jids)
    Sidekiq::RetrySet.new.to_a.each { |entry| entry.kill if jids.include?(entry.jid) }
  end

  # The jobs of a set, by Sidekiq: [jid, score] each.
  def entries(set)
    SETS[set].new.map { |entry| [entry.jid, entry.score] }.sort
  end

  def sizes
    stats = Sidekiq::Stats.new
    queues = Sidekiq::Queue.all.to_h { |queue| [queue.name, queue.size] }
    {"retry" => stats.retry_size, "dead" => stats.dead_size, "schedule" => stats.scheduled_size, "queues" => queues}
  end

  def processes
    Sidekiq::ProcessSet.new.map { |process| [process.identity, process.stopping?] }
  end

  def quiet(identity)
    Sidekiq::ProcessSet.new.each { |process| process.quiet! if process.identity == identity }
  end

  # Pushes jobs as fast as it can for some seconds: some fail, some die, some have a time. How many.
  def produce(seconds)
    finish = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    count = 0
    while Process.clock_gettime(Process::CLOCK_MONOTONIC) < finish
      jobs = Array.new(20) { |i| produced(count + i) }
      push(jobs)
      count += jobs.size
      sleep(0.02)
    end
    count
  end

  private

  def produced(number)
    options = {"retry" => 1, "queue" => number.odd? ? "default" : "low:er"}
    options["at"] = Time.now.to_f + 0.3 if number % 7 == 0
    failures = {3 => 1, 11 => 3}.fetch(number % 20, 0)
    [["p#{number}", failures], options]
  end

  def processor_of(queues)
    unless SEVEN
      fetch = Sidekiq::BasicFetch.new({queues: queues, strict: true})
      return Sidekiq::Processor.new(nil, {fetch: fetch})
    end
    capsule = Sidekiq::Capsule.new("test", Sidekiq.default_configuration)
    capsule.queues = queues
    Sidekiq::Processor.new(capsule) {}
  end
end

world = World.new
$stdout.sync = true
$stdin.each_line do |line|
  method, *arguments = JSON.parse(line)
  answer = begin
    {"ok" => world.public_send(method, *arguments)}
  rescue => e
    {"error" => "#{e.class}: #{e.message}\n#{e.backtrace.first(5).join("\n")}"}
  end
  $stdout.puts(JSON.generate(answer))
end
