# Has rack-attack count and ban visitors: rack_visitors.rb SOCKET PERIOD VISITOR...
# Prints as JSON whether each is banned.

require "json"
require "redis"
require "rack/attack"

socket, period, *visitors = ARGV
Rack::Attack.cache.store = Redis.new(path: socket)
rule = { maxretry: 2, findtime: period.to_i, bantime: 3600 }
visitors.each do |who|
  Rack::Attack.cache.count("logins/ip:#{who}", period.to_i)
  3.times { Rack::Attack::Fail2Ban.filter(who, rule) { true } }
end
puts JSON.generate(visitors.to_h { |who| [who, Rack::Attack::Fail2Ban.banned?(who)] })
