# Fills a Redis with what Sidekiq 7 leaves there: make_sidekiq7.rb SOCKET. It was run with Sidekiq 7.3.2 (Debian 13);
# what it made is sidekiq7.rdb, taken with SAVE.
# Jobs of all kinds, and a process with two capsules that was killed at work. A snapshot that is loaded later has no
# keys whose TTL is over, so the process's hash and its record have lost theirs; the tests give them new ones.

ENV["MOONSHIFT_SIDEKIQ"] = %({"socket": #{ARGV.fetch(0).inspect}})
ENV["DYNO"] = "worker.1" # the host in the identity
require "sidekiq/cli"
require_relative "jobs"
require "sidekiq/api"
require "sidekiq/launcher"

abort "this is Sidekiq #{Sidekiq::VERSION}" unless Sidekiq::VERSION.start_with?("7.")
Sidekiq.logger.level = Logger::FATAL + 1

def push(queue, *args, **options)
  Sidekiq::Client.push({"class" => "Record", "args" => args, "queue" => queue}.merge(options.transform_keys(&:to_s)))
end

def begin_process
  config = Sidekiq.default_configuration
  config.queues = ["default"]
  config.concurrency = 2
  config.capsule("slow") do |capsule|
    capsule.queues = ["low:er"]
    capsule.concurrency = 1
  end
  Sidekiq::Launcher.new(config).tap(&:run)
end

def wait_until
  Timeout.timeout(60) { sleep(0.05) until yield }
end

20.times { |i| push("default", "fails#{i}", 9) }
10.times { |i| push("default", "dies#{i}", 9, retry: 0) }
10.times { |i| push("low:er", "good#{i}") }

child = fork do
  launcher = begin_process
  wait_until { Sidekiq::Stats.new.enqueued.zero? && Sidekiq::RetrySet.new.size == 20 && Sidekiq::DeadSet.new.size == 10 }
  2.times { |i| push("default", "runs#{i}", 0, 600, "ü🚀") }
  push("low:er", "runs2", 0, 600)
  wait_until { Sidekiq.redis { |redis| redis.llen("test:begun") } == 3 }
  launcher.heartbeat
  Process.kill(:KILL, Process.pid)
end
Process.wait(child)

10.times { |i| push("default", "late#{i}", at: Time.now.to_f + i) }
5.times { |i| push("low:er", "early#{i}", at: Time.now.to_f + 10 * 365 * 86_400 + i) }
3.times { |i| push("default", "waits#{i}") }

Sidekiq.redis do |redis|
  identity = redis.smembers("processes").first
  [identity, "#{identity}:work"].each { |key| redis.persist(key) }
end
