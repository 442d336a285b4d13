--- What a Redis server says of itself, for checks.
local server = {}

--- One section of INFO as a table (https://redis.io/docs/latest/commands/info). Numbers are numbers.
function server.info(section)
  local fields = {}
  for name, value in redis.call("INFO", section):gmatch("([%w_]+):([^\r\n]*)\r?\n") do
    fields[name] = tonumber(value) or value
  end
  return fields
end

--- One directive of the configuration, or nil where CONFIG GET is not allowed (managed services).
function server.config(name)
  local reply = redis.pcall("CONFIG", "GET", name)
  return not reply.err and reply[2] or nil
end

return server
