# The job that the tests run, for Sidekiq 6 and 7: worker processes load this file, and so does world.rb.
# MOONSHIFT_SIDEKIQ is JSON: socket, and perhaps namespace.

require "json"
require "sidekiq"

SETTINGS = JSON.parse(ENV.fetch("MOONSHIFT_SIDEKIQ"))

def redis_settings
  settings = {url: "unix://#{SETTINGS["socket"]}"}
  settings[:namespace] = SETTINGS["namespace"] if SETTINGS["namespace"]
  settings
end

Sidekiq.configure_client { |config| config.redis = redis_settings }
Sidekiq.configure_server do |config|
  config.redis = redis_settings
  config.average_scheduled_poll_interval = 1
end

# Counts in Redis what happens to it: fails `failures` times, then runs for `seconds`, then is done.
class Record
  include Sidekiq::Worker

  def perform(name, failures = 0, seconds = 0, _payload = nil)
    tries = count("test:tries", name)
    raise IOError, "no luck: #{name}" if tries <= failures

    Sidekiq.redis { |redis| redis.rpush("test:begun", "#{name} #{Process.pid}") } if seconds > 0
    sleep(seconds)
    count("test:done", name)
  end

  def count(key, name)
    Sidekiq.redis { |redis| redis.hincrby(key, name, 1) }
  end
end
