# Puts Sidekiq's scheduler to use on a Redis: use_sidekiq.rb SOCKET.
# Without a socket it prints the Lua scripts that Sidekiq brings, as JSON: name -> text.

require "json"
require "sidekiq"
require "sidekiq/api"
require "sidekiq/scheduled"

# What Sidekiq takes for the time goes by as the tests want it to.
module Shift
  class << self
    attr_accessor :seconds
  end
  self.seconds = 0

  def now
    super + Shift.seconds
  end
end

class Greet
  include Sidekiq::Worker
end

def open_scheduler
  # Sidekiq 7 has a configuration where 6 has globals.
  return Sidekiq::Scheduled::Enq.new unless Sidekiq.respond_to?(:default_configuration)

  Sidekiq::Scheduled::Enq.new(Sidekiq.default_configuration)
end

def use(socket)
  Sidekiq.configure_client { |config| config.redis = {url: "unix://#{socket}"} }
  Sidekiq.logger.level = Logger::ERROR
  Time.singleton_class.prepend(Shift)
  scheduler = open_scheduler

  [10, 20, 20, 3600, 7200].each { |delay| Greet.perform_in(delay, "ü-🚀", delay, nil, 0.1) }
  Greet.perform_async("now")
  Sidekiq.redis do |redis|
    retried = {"class" => "Greet", "args" => ["nul\0inside"], "retry" => true, "jid" => "0123"}
    redis.zadd("retry", 1.5, JSON.generate(retried))
  end
  [0, 60, 5000].each do |seconds|
    Shift.seconds = seconds
    scheduler.enqueue_jobs
  end
  Sidekiq::ScheduledSet.new.clear
  scheduler.enqueue_jobs
end

if ARGV.empty?
  puts JSON.generate("zpopbyscore" => Sidekiq::Scheduled::Enq::LUA_ZPOPBYSCORE)
else
  use(ARGV.first)
end
