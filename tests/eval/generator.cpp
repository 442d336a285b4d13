#include "eval/generator.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

namespace moonshift::test {

namespace {

using Alternatives = std::vector<std::string_view>;

/// What a symbol may become. Other symbols stand in it as <symbol>, and these:
///
///     <new:type>      the name of a new variable, which can be used after the statement
///     <last>          that name again
///     <var:type>      a variable that is in scope
///     <begin> <end>   where new variables live that can be used from <now> on
///     <function>      like <begin>, of a function: it calls no other, so that all of them end soon
///     <block>         statements
///     <literal:kind>  see literal()
///
/// Numbers stay below 10^6 and strings short in each variable, so nothing grows in loops, becomes
/// infinite or is no number (whose sign depends on the machine's instruction). The left side of an
/// operator is no literal: Lua 5.1 folds constants, and then takes 0 and -0 for the same.
const std::map<std::string_view, Alternatives> kGrammar = {
    {"number",
     {"<literal:integer>", "<literal:fraction>", "<var:number>", "<var:number>", "<var:number>",
      "(<operand> + <number>)", "(<operand> - <number>)", "(<operand> * <number>)",
      "(<operand> / (1 + math.abs(<number>)))", "(<operand> % (1 + math.abs(<number>)))",
      "(<operand> % -7)", "(math.floor(<operand>) % 10) ^ 2", "(0 - <operand>)", "<operand>",
      "<operand>"}},
    // A number that is no literal.
    {"operand",
     {"<var:number>",
      "<var:number>",
      "#KEYS",
      "tonumber(ARGV[<literal:numeric argument>])",
      "(ARGV[<literal:numeric argument>] + <number>)",
      "#<string>",
      "#<var:strings>",
      "#<var:numbers>",
      "math.floor(<number>)",
      "math.ceil(<number>)",
      "math.abs(<number>)",
      "math.max(<number>, <number>)",
      "math.min(<number>, <number>, <number>)",
      "math.sqrt(math.abs(<number>))",
      "math.fmod(<number>, 7)",
      "select(2, math.modf(<number>))",
      "select('#', <any>, <any>)",
      "(select(2, <any>, <number>))",
      "bounded(tonumber(<string>) or 1)",
      "(tonumber(<hexadecimal>, 16) or 2)",
      "(string.byte(<string>, <literal:small>) or 0)",
      "(string.find(<string>, <pattern>) or 0)",
      "(string.find(<string>, <string>, 1, true) or 0)",
      "select(2, string.gsub(<string>, <pattern>, ''))",
      "(<var:numbers>[<literal:small>] or 3)",
      "(table.maxn(<var:numbers>))",
      "bit.band(<integer>, <integer>)",
      "bit.bor(<integer>, <integer>)",
      "bit.bxor(<integer>, <integer>, 255)",
      "bit.bnot(<integer>)",
      "bit.lshift(<integer>, <literal:small>)",
      "bit.rshift(<integer>, <literal:small>)",
      "bit.arshift(<integer>, <literal:small>)",
      "bit.rol(<integer>, <literal:small>)",
      "bit.bswap(<integer>)",
      "(struct.unpack('<i4', struct.pack('<i4', <integer>)))",
      "(struct.unpack('>i8', struct.pack('>i8', <integer>)))",
      "(struct.unpack('<d', struct.pack('<d', <number>)))",
      "bounded(cjson.decode(cjson.encode({<number>}))[1])",
      "cmsgpack.unpack(cmsgpack.pack(<number>))",
      "(math.randomseed(<literal:small>) or math.random(1, 1000))",
      "redis.call(<integer command>)",
      "redis.call(<integer command>)",
      "redis.call(<integer command>)",
      "#redis.call(<strings command>)",
      "<var:number function>(<number>, <string>)",
      "<var:vararg function>(<any>, <any>, <number>)",
      "<var:counter function>(<number>)",
      "<var:object>:twice()",
      "<var:object>.value",
      "(<var:object> + <var:object>)",
      "#<var:object>.list"}},
    {"integer", {"<literal:integer>", "(math.floor(bounded(<number>)) + 0)"}},
    {"string",
     {"<literal:word>",
      "<literal:word>",
      "<literal:bytes>",
      "<var:string>",
      "<var:string>",
      "<var:string>",
      "ARGV[<literal:argument>]",
      "KEYS[<literal:key>]",
      "(<string> .. <string>)",
      "(<string> .. <string> .. <string>)",
      "(<string> .. <literal:integer>)",
      "tostring(<number>)",
      "tostring(<boolean>)",
      "type(<any>)",
      "string.upper(<string>)",
      "string.lower(<string>)",
      "string.reverse(<string>)",
      "string.rep(cut(<string>), <literal:small>)",
      "string.sub(<string>, <literal:small>)",
      "string.sub(<string>, <literal:small>, -<literal:small>)",
      "string.sub(<string>, -<literal:small>)",
      "(<string>):sub(2)",
      "string.char(65 + <literal:small>, 97)",
      "(string.gsub(<string>, <pattern>, <literal:word>))",
      "(string.gsub(<string>, <pattern>, '<%0>'))",
      "(string.gsub(<string>, <pattern>, '%1%%', <literal:small>))",
      "(string.gsub(<string>, <pattern>, {a = 'A', b = false, ['1'] = 'one'}))",
      "(string.gsub(<string>, <pattern>, function(a) return tostring(a) .. '!' end))",
      "tostring(string.match(<string>, <pattern>))",
      "tostring((string.match(<string>, <pattern>, <literal:small>)))",
      "string.format('%s|%5s|%-5s|%.2s', <string>, <string>, <string>, <string>)",
      "string.format('%d %5d %-5d %05d %+d', <integer>, <integer>, <integer>, <integer>, "
      "<integer>)",
      "string.format('%x %X %o %u', <positive>, <positive>, <positive>, <positive>)",
      "string.format('%.2f %g %e %10.3f %.0f', <number>, <number>, <number>, <number>, <number>)",
      "string.format('%q %c%%', <string>, 65 + <literal:small>)",
      "table.concat(<strings>, ',')",
      "table.concat(<numbers>, ' ')",
      "table.concat(<var:strings>, '-', 2)",
      "(<var:strings>[<literal:small>] or 'none')",
      "redis.sha1hex(<string>)",
      "cjson.encode(<numbers>)",
      "cjson.encode(<strings>)",
      "cjson.encode({<any data>, <any data>})",
      "cjson.encode({key = <any data>})",
      "cjson.encode(<string>)",
      "cmsgpack.pack(<any data>)",
      "cmsgpack.pack(<any data>, <number>, <strings>)",
      "struct.pack('>I2', <positive>)",
      "struct.pack('<ds', <number>, <string>)",
      "bit.tohex(<integer>)",
      "(redis.call(<bulk command>) or 'none')",
      "(redis.call(<bulk command>) or 'none')",
      "(redis.call(<bulk command>) or 'none')",
      "redis.call(<status command>).ok",
      "redis.call('TYPE', <any key>).ok",
      "redis.pcall(<bad command>).err",
      "redis.error_reply(<string>).err",
      "redis.status_reply(<string>).ok",
      "tostring(select(2, pcall(redis.call, <bad command>)))",
      "tostring(select(2, pcall(error, <string>)))",
      "tostring(select(2, pcall(cjson.decode, <bad json>)))",
      "tostring(select(2, pcall(string.find, <string>, <bad pattern>)))",
      "<var:string function>(<string>, <number>)",
      "tostring(<var:object>)",
      "coroutine.status(coroutine.create(function() end))",
      "_VERSION"}},
    {"boolean",
     {"<number> < <number>",
      "<number> >= <number>",
      "<number> == <number>",
      "<number> ~= <number>",
      "<string> == <string>",
      "<string> < <string>",
      "<string> <= <string>",
      "(<boolean> and <boolean>)",
      "(<boolean> or <boolean>)",
      "not (<boolean>)",
      "<var:boolean>",
      "(redis.call(<bulk command>) == false)",
      "(redis.call(<integer command>) == 1)",
      "(<var:object> < <var:object>)",
      "(<var:object> == <var:object>)",
      "(next(<var:numbers>) == nil)",
      "(string.find(<string>, <pattern>) ~= nil)",
      "rawequal(<string>, <string>)",
      "redis.acl_check_cmd('GET', <any key>)",
      "true",
      "false"}},
    {"numbers",
     {"{<number>, <number>, <number>}", "{<number>}", "<var:numbers>",
      "{unpack({<number>, <number>, <number>, <number>}, 2, 3)}", "{(<string>):byte(1, 4)}",
      "cmsgpack.unpack(cmsgpack.pack(<numbers>))",
      "{redis.call(<integer command>), redis.call(<integer command>)}"}},
    {"strings",
     {"{<string>, <string>}", "{}", "<var:strings>", "redis.call(<strings command>)",
      "redis.call(<strings command>)", "sorted(redis.call(<unordered command>))",
      "sorted(redis.call(<unordered command>))", "cjson.decode(cjson.encode(<strings>))",
      "cmsgpack.unpack(cmsgpack.pack(<strings>))"}},
    // Something that is nothing's alias, so that it can be walked through while all else changes.
    {"fresh strings",
     {"{<string>, <string>}", "redis.call(<strings command>)", "{unpack(KEYS, 1, 3)}"}},
    {"any data",
     {"<number>", "<string>", "<boolean>", "{<any data>, <any data>}", "{[<string>] = <number>}"}},
    {"any",
     {"<number>",
      "<string>",
      "<boolean>",
      "<numbers>",
      "<strings>",
      "<var:number>",
      "<var:string>",
      "<var:boolean>",
      "<var:numbers>",
      "<var:strings>",
      "<var:any>",
      "<var:any>",
      "{<any>, <any>, <any>}",
      "{<any>, {<any>}}",
      "nil",
      "{ok = <string>}",
      "{err = <string>}",
      "{double = <number>}",
      "{map = {[<string>] = <any>}}",
      "{set = {[<string>] = true}}",
      "redis.status_reply(<string>)",
      "redis.error_reply(<string>)",
      "redis.call(<any command>)",
      "redis.call(<any command>)",
      "redis.call(<integer command>)",
      "redis.call(<status command>)",
      "redis.pcall(<bad command>)",
      "redis.pcall(<integer command>)",
      "redis.pcall('XPENDING', KEYS[14], 'group')",
      "(<boolean> and <string> or <number>)",
      "cjson.decode(cjson.encode({key = <any data>})).key",
      "cjson.null",
      "cmsgpack.unpack(cmsgpack.pack(<any data>))"}},
    {"positive", {"<literal:small>", "(math.floor(math.abs(<number>)) % 65536)"}},
    {"hexadecimal", {"'ff'", "'7F'", "'xyz'", "ARGV[<literal:numeric argument>]"}},
    {"pattern",
     {"'%a+'",
      "'%d+'",
      "'[%w_]+'",
      "'(%a)(%d?)'",
      "'^%s*(.-)%s*$'",
      "'%b()'",
      "'%f[%w]%w+'",
      "'.'",
      "'[^,]+'",
      "'(%w+)=(%w*)'",
      "'()%a'",
      "'(%a)%1'",
      "'[a-c]-b'",
      "'%s'",
      "'^.'",
      "'.$'",
      "''",
      "'%p'",
      "'[]%-]'",
      "'%u%l*'",
      "'(a*(.)%w(%s*))'",
      "'%x%x'",
      "'%z'",
      "'[^%c]'"}},
    {"bad pattern", {"'[a'", "'%'", "'(a'", "'a)'", "'%b'", "'%f'", "'%1'"}},
    {"bad json", {"'['", "'{\"a\":}'", "'nil'", "'[1,]'", "'\"a'", "''", "'{} x'"}},
    {"any key", {"KEYS[<literal:key>]", "KEYS[<literal:key>]", "'missing'"}},
    {"string key", {"KEYS[1]", "KEYS[2]"}},
    {"hash key", {"KEYS[5]", "KEYS[6]"}},
    {"list key", {"KEYS[8]", "KEYS[9]"}},
    {"set key", {"KEYS[10]", "KEYS[11]"}},
    {"sorted set key", {"KEYS[12]", "KEYS[13]"}},
    {"bitmap key", {"KEYS[15]", "KEYS[16]"}},
    {"hyperloglog key", {"KEYS[18]", "KEYS[19]"}},
    {"score", {"<number>", "<literal:integer>", "'(3'", "'-inf'", "'+inf'"}},
    {"lexical", {"'-'", "'+'", "'[a'", "'(b'", "'[m'"}},
    {"place", {"0", "1", "2", "-1", "-2", "<literal:small>"}},
    {"member", {"<literal:word>", "<literal:word>", "<string>", "<number>"}},
    {"integer command",
     {"'EXISTS', <any key>",
      "'EXISTS', <any key>, <any key>",
      "'DEL', <any key>",
      "'UNLINK', <any key>, <any key>",
      "'TOUCH', <any key>",
      "'EXPIREAT', <any key>, <literal:future>",
      "'EXPIREAT', <any key>, <literal:future>, <expiry option>",
      "'PEXPIREAT', <any key>, <literal:future>000",
      "'EXPIRE', <string key>, 100000",
      "'EXPIRETIME', <list key>",
      "'PEXPIRETIME', <set key>",
      "'PERSIST', <any key>",
      "'COPY', KEYS[1], KEYS[2], 'REPLACE'",
      "'COPY', KEYS[8], KEYS[9]",
      "'PUBLISH', 'channel', <string>",
      "'STRLEN', <string key>",
      "'APPEND', <string key>, cut(<string>)",
      "'SETRANGE', <string key>, <literal:small>, cut(<string>)",
      "'SETNX', <string key>, <string>",
      "'MSETNX', KEYS[1], <string>, KEYS[2], <number>",
      "'INCR', KEYS[3]",
      "'DECR', KEYS[3]",
      "'INCRBY', KEYS[3], <integer>",
      "'DECRBY', KEYS[3], <integer>",
      "'HSET', <hash key>, <member>, <string>",
      "'HSET', <hash key>, <member>, <number>, <member>, <string>",
      "'HSETNX', <hash key>, <member>, <string>",
      "'HDEL', <hash key>, <member>, <member>",
      "'HEXISTS', <hash key>, <member>",
      "'HLEN', <hash key>",
      "'HSTRLEN', <hash key>, <member>",
      "'HINCRBY', KEYS[7], <literal:word>, <integer>",
      "'LLEN', <list key>",
      "'LPUSH', <list key>, <string>, <number>",
      "'RPUSH', <list key>, <string>",
      "'RPUSH', <list key>, unpack({<string>, <string>, <string>})",
      "'RPUSHX', <list key>, <string>",
      "'LREM', <list key>, <place>, <string>",
      "'LINSERT', <list key>, 'BEFORE', <string>, <string>",
      "'SADD', <set key>, <member>, <member>",
      "'SADD', <set key>, <literal:integer>",
      "'SREM', <set key>, <member>",
      "'SCARD', <set key>",
      "'SISMEMBER', <set key>, <member>",
      "'SMOVE', KEYS[10], KEYS[11], <member>",
      "'SINTERCARD', 2, KEYS[10], KEYS[11]",
      "'SUNIONSTORE', <set key>, KEYS[10], KEYS[11]",
      "'SDIFFSTORE', <set key>, KEYS[10], KEYS[11]",
      "'ZADD', <sorted set key>, <number>, <member>",
      "'ZADD', <sorted set key>, <literal:integer>, <member>, <number>, <member>",
      "'ZADD', <sorted set key>, <add option>, 'CH', <number>, <member>",
      "'ZREM', <sorted set key>, <member>",
      "'ZCARD', <sorted set key>",
      "'ZCOUNT', <sorted set key>, <score>, <score>",
      "'ZLEXCOUNT', <sorted set key>, <lexical>, <lexical>",
      "'ZREMRANGEBYRANK', <sorted set key>, <place>, <place>",
      "'ZREMRANGEBYSCORE', <sorted set key>, <score>, <score>",
      "'ZUNIONSTORE', <sorted set key>, 2, KEYS[12], KEYS[13], 'WEIGHTS', 2, <literal:fraction>",
      "'ZINTERSTORE', <sorted set key>, 2, KEYS[12], KEYS[13], 'AGGREGATE', 'MAX'",
      "'ZUNIONSTORE', <sorted set key>, 2, KEYS[12], <set key>",
      "'ZRANGESTORE', <sorted set key>, <sorted set key>, <place>, <place>",
      "'XLEN', KEYS[14]",
      "'XDEL', KEYS[14], '<literal:small>-1'",
      "'XTRIM', KEYS[14], 'MAXLEN', <literal:small>",
      "'SETBIT', <bitmap key>, <literal:small>, <literal:bit>",
      "'GETBIT', <bitmap key>, <literal:small>",
      "'BITCOUNT', <bitmap key>",
      "'BITCOUNT', <bitmap key>, <place>, <place>, 'BIT'",
      "'BITPOS', <bitmap key>, <literal:bit>",
      "'BITOP', 'XOR', <bitmap key>, KEYS[15], KEYS[16]",
      "'BITOP', 'NOT', KEYS[15], KEYS[16]",
      "'GEOADD', KEYS[17], <literal:small>.5, <literal:small>, <literal:word>",
      "'PFADD', <hyperloglog key>, <string>, <number>",
      "'PFCOUNT', KEYS[18], KEYS[19]",
      "'SORT', <list key>, 'ALPHA', 'STORE', KEYS[9]",
      "'lpush', <list key>, <string>"}},
    {"expiry option", {"'NX'", "'XX'", "'GT'", "'LT'"}},
    {"add option", {"'NX'", "'XX'", "'GT'", "'XX', 'LT'"}},
    {"bulk command",
     {"'GET', <string key>",
      "'GET', KEYS[3]",
      "'GETRANGE', <string key>, <place>, <place>",
      "'GETSET', <string key>, <string>",
      "'GETDEL', <string key>",
      "'GETEX', <string key>, 'PERSIST'",
      "'SET', <string key>, <string>, 'GET'",
      "'LCS', KEYS[1], KEYS[2]",
      "'INCRBYFLOAT', KEYS[4], <number>",
      "'HGET', <hash key>, <member>",
      "'HINCRBYFLOAT', KEYS[7], 'fraction', <number>",
      "'LINDEX', <list key>, <place>",
      "'LPOP', <list key>",
      "'RPOP', <list key>",
      "'LMOVE', <list key>, <list key>, 'LEFT', 'RIGHT'",
      "'RPOPLPUSH', KEYS[8], KEYS[9]",
      "'ZSCORE', <sorted set key>, <member>",
      "'ZINCRBY', <sorted set key>, <number>, <member>",
      "'ZADD', <sorted set key>, 'INCR', <number>, <member>",
      "'GEODIST', KEYS[17], <literal:word>, <literal:word>",
      "'OBJECT', 'ENCODING', <any key>",
      "'ECHO', <string>"}},
    {"status command",
     {"'SET', <string key>, <string>", "'SET', <string key>, <number>",
      "'SET', <string key>, <string>, 'EX', 100000", "'MSET', KEYS[1], <string>, KEYS[2], <string>",
      "'HMSET', <hash key>, <member>, <string>", "'LTRIM', <list key>, <place>, <place>",
      "'PFMERGE', KEYS[18], KEYS[19]", "'PING'"}},
    {"strings command",
     {"'LRANGE', <list key>, <place>, <place>", "'LRANGE', <list key>, 0, -1",
      "'ZRANGE', <sorted set key>, 0, -1", "'ZRANGE', <sorted set key>, 0, -1, 'WITHSCORES'",
      "'ZRANGE', <sorted set key>, <score>, <score>, 'BYSCORE', 'LIMIT', 0, 3",
      "'ZRANGEBYSCORE', <sorted set key>, <score>, <score>",
      "'ZRANGEBYLEX', <sorted set key>, <lexical>, <lexical>",
      "'ZREVRANGE', <sorted set key>, <place>, <place>",
      "'ZUNION', 2, KEYS[12], KEYS[13], 'WITHSCORES'", "'SORT', <list key>, 'ALPHA', 'DESC'",
      "'SORT', <list key>, 'ALPHA', 'LIMIT', 0, 3", "'SORT', <list key>, 'BY', 'nothing'",
      "'GEOSEARCH', KEYS[17], 'FROMLONLAT', 3, 3, 'BYRADIUS', 500, 'km', 'ASC'"}},
    {"unordered command",
     {"'SMEMBERS', <set key>", "'SINTER', KEYS[10], KEYS[11]", "'SUNION', KEYS[10], KEYS[11]",
      "'SDIFF', KEYS[10], KEYS[11]", "'HKEYS', <hash key>", "'HVALS', <hash key>",
      "'HGETALL', <hash key>", "'KEYS', '*'"}},
    {"any command",
     {"'MGET', KEYS[1], 'missing', KEYS[2]", "'HMGET', <hash key>, <member>, <member>",
      "'SMISMEMBER', <set key>, <member>, <member>",
      "'ZMSCORE', <sorted set key>, <member>, <member>", "'ZRANK', <sorted set key>, <member>",
      "'ZPOPMIN', <sorted set key>, <literal:small>", "'ZMPOP', 2, KEYS[12], KEYS[13], 'MAX'",
      "'LMPOP', 2, KEYS[8], KEYS[9], 'LEFT', 'COUNT', 2", "'LPOS', <list key>, <string>",
      "'LPOS', <list key>, <string>, 'COUNT', 0", "'LPOP', <list key>, <literal:small>",
      "'BITFIELD', <bitmap key>, 'INCRBY', 'u8', 3, <integer>, 'GET', 'i5', 1",
      "'GEOPOS', KEYS[17], <literal:word>, <literal:word>", "'XRANGE', KEYS[14], '-', '+'",
      "'XREVRANGE', KEYS[14], '+', '-', 'COUNT', 2",
      "'XREAD', 'COUNT', 3, 'STREAMS', KEYS[14], '0'",
      "'SORT', <list key>, 'ALPHA', 'GET', '#', 'GET', 'nothing*'",
      "'COMMAND', 'GETKEYS', 'MSET', 'a', 'b', 'c', 'd'", "'GET', <any key>"}},
    // Commands that fail whatever there is.
    {"bad command",
     {"'NOSUCH'",
      "'NOSUCH', <string>",
      "'GET'",
      "'SET', <string key>",
      "'HSET', KEYS[5], 'odd'",
      "'ZADD', KEYS[12], 'text', 'member'",
      "'EXPIREAT', KEYS[1], 'text'",
      "'MULTI'",
      "'SUBSCRIBE', 'channel'",
      "'SETBIT', KEYS[15], 0, 2",
      "'XADD', KEYS[14], '0-0', 'a', 'b'",
      "'RENAME', 'missing', 'other'",
      "'OBJECT', 'NOSUCH'",
      "'CONFIG', 'GET', '*'",
      "'INCRBY', KEYS[3], 'text'",
      "'INCRBY', KEYS[3], 1.5",
      "'SELECT', 99",
      "'EVAL', 'return 1', 0",
      "'SET', KEYS[1], 'a', 'NOSUCH'",
      "'SORT', KEYS[8], 'LIMIT'",
      "'XREAD', 'BLOCK', 0, 'STREAMS', 's', '0'"}},
    {"statement",
     {"redis.call(<integer command>)",
      "redis.call(<status command>)",
      "redis.pcall(<any command>)",
      "redis.pcall('XADD', KEYS[14], '<literal:small>-*', 'field', <string>)",
      "redis.pcall('XADD', KEYS[14], '<literal:small>-1', <string>, <string>)",
      "redis.pcall('XGROUP', 'CREATE', KEYS[14], 'group', '0')",
      "redis.pcall('XREADGROUP', 'GROUP', 'group', 'me', 'COUNT', 1, 'STREAMS', KEYS[14], '>')",
      "redis.pcall('RENAME', KEYS[8], KEYS[9])",
      "redis.call('SELECT', <literal:bit>)",
      "local <new:number> = bounded(<number>)",
      "local <new:number> = bounded(<number>)",
      "local <new:string> = cut(<string>)",
      "local <new:string> = cut(<string>)",
      "local <new:boolean> = <boolean>",
      "local <new:numbers> = <numbers>",
      "local <new:strings> = <strings>",
      "local <new:any> = <any>",
      "local <new:number>, <new:string> = bounded(<number>), cut(<string>)",
      "<var:number> = bounded(<number>)",
      "<var:number> = bounded(<number>)",
      "<var:string> = cut(<string>)",
      "<var:boolean> = <boolean>",
      "<var:number>, <var:number> = bounded(<number>), bounded(<number>)",
      "table.insert(<var:numbers>, bounded(<number>))",
      "table.insert(<var:strings>, 1, cut(<string>))",
      "table.remove(<var:numbers>)",
      "table.remove(<var:strings>, 1)",
      "table.sort(<var:numbers>)",
      "table.sort(<var:strings>, function(a, b) return a > b end)",
      "<var:numbers>[1] = bounded(<number>)",
      "if <boolean> then\n<block>end",
      "if <boolean> then\n<block>else\n<block>end",
      "if <boolean> then\n<block>elseif <boolean> then\n<block>end",
      "do\n<block>end",
      "for <begin><new:number> = 1, <literal:bound> do<now>\n<block>end<end>",
      "for <begin><new:number> = <literal:bound>, 0, -<literal:step> do<now>\n<block>end<end>",
      "for <begin>_, <new:string> in ipairs(<fresh strings>) do<now>\n<block>end<end>",
      "for <begin><new:string> in string.gmatch(cut(<string>):sub(1, 5), '%w') "
      "do<now>\n<block>end<end>",
      "do\nlocal <begin><new:guard> = 0\nwhile <last> < <literal:bound> and <boolean> do\n<last> = "
      "<last> + 1\n"
      "<block>end\nend<end>",
      "do\nlocal <begin><new:guard> = 0\nrepeat\n<last> = <last> + 1\n<block>until <last> > 2 or "
      "<boolean>\nend<end>",
      "for <begin><new:number> = 1, 4 do<now>\n<block>  if <boolean> then break end\nend<end>",
      "local <new:boolean>, <new:any> = pcall(function()\n<block>end)",
      "local <new:boolean>, <new:any> = pcall(function()\n<block>  error(<error>)\nend)",
      "local <new:boolean>, <new:any> = pcall(function()\n<block>  return redis.call(<bad "
      "command>)\nend)",
      "local <new:any> = select(2, xpcall(function() error(<string>, 0) end, function(e) return #e "
      "end))",
      "local <new:number function> = function(<function><new:number>, "
      "<new:string>)<now>\n<block>  return "
      "bounded(<number>)\nend<end>",
      "local function <new:string function>(<function><new:string>, "
      "<new:number>)<now>\n<block>  return "
      "cut(<string>)\nend<end>",
      "local function <new:string function>(<function><new:string>, <new:number>)<now>\nif "
      "<boolean> "
      "then return string.reverse(<string>) end\nreturn redis.call('ECHO', <string>)\nend<end>",
      "local function <new:vararg function>(...)\nlocal list = {...}\nreturn (list[1] == nil and 0 "
      "or 1) + select('#', "
      "...)\nend",
      "local function <new:vararg function>(...)\nreturn arg.n * 2\nend",
      "local <new:counter function>\ndo\nlocal count = 0\n<last> = function(step)\ncount = "
      "bounded(count "
      "+ step)\nreturn count\nend\nend",
      "local <new:object> = object(bounded(<number>), <numbers>)",
      "local <new:numbers> = {}\nfor value in coroutine.wrap(function()\nfor i = 1, 3 do "
      "coroutine.yield(i * bounded(<number>)) end\nend) do table.insert(<last>, value) end",
      "redis.setresp(3)\nlocal <new:any> = redis.pcall(<typed command>)\nredis.setresp(2)",
      "local <new:any> = assert(loadstring('return ...'))(<number>)",
      "local <new:any> = select(2, loadstring('return ' .. cut(<string>):sub(1, 3):gsub('%z', "
      "'0')))",
      "if <boolean> and <boolean> and <boolean> then error(<error>) end"}},
    {"filling",
     {"'MSET', KEYS[1], <string>, KEYS[2], <number>",
      "'HSET', KEYS[5], 'b', <string>, 'apple', <number>",
      "'RPUSH', <list key>, <string>, <string>, <number>",
      "'SADD', <set key>, <member>, <member>, <member>", "'SADD', <set key>, 1, 2, <integer>",
      "'ZADD', <sorted set key>, 1, <member>, <number>, <member>, 2, 'b'",
      "'XADD', KEYS[14], '1-*', 'field', <string>", "'SETBIT', <bitmap key>, <literal:small>, 1",
      "'GEOADD', KEYS[17], 1.5, 2, 'b', 3.5, 4, 'apple'",
      "'PFADD', <hyperloglog key>, <string>, <string>", "'EXPIREAT', <any key>, <literal:future>"}},
    // What redis.setresp(3) makes a type of its own; tables of one member have no order.
    {"typed command",
     {"'ZSCORE', <sorted set key>, <member>", "'SISMEMBER', <set key>, <member>",
      "'GET', <string key>", "'ZRANGE', <sorted set key>, 0, -1, 'WITHSCORES'",
      "'MGET', KEYS[1], KEYS[2]", "'ZMSCORE', <sorted set key>, <member>"}},
    {"error",
     {"<string>", "{err = <string>}", "{err = 'CODE ' .. <string>}", "<string>, 0", "<string>, 2",
      "redis.error_reply(<string>)", "<number>", "nil"}},
    {"result",
     {"return {<any>, <any>, <any>, <any>, <any>, <any>, <any>, <any>, <any>, <any>}",
      "return {<any>, <any>, <any>, <any>, <any>, <any>, <any>}",
      "return {<string>, <number>, <strings>, <numbers>, <any>, <any>}",
      "return {<any>, <any>, <any>, <any>, <any>, <any>, <any>, <any>}",
      "return {<any>, <any>, <any>, <any>, <any>}", "return {<any>, {<any>, <any>}, <any>}",
      "return <any>", "return redis.call(<any command>)", "return redis.pcall(<bad command>)",
      "return redis.call(<bad command>)", "return redis.call(<strings command>)",
      "error(<error>)"}}};

/// Keeps values in bounds; objects have metamethods.
constexpr std::string_view kPrelude =
    R"(local function bounded(n) if n > 1e6 or n < -1e6 then return n % 1000 end return n end
local function cut(s) return s:sub(1, 60) end
local function sorted(list) table.sort(list) return list end
local class = {}
class.__index = {twice = function(self) return self.value * 2 end}
class.__add = function(a, b) return a.value + b.value end
class.__eq = function(a, b) return a.value == b.value end
class.__lt = function(a, b) return a.value < b.value end
class.__tostring = function(self) return 'object ' .. tostring(self.value) end
local function object(value, list) return setmetatable({value = value, list = list}, class) end)";

constexpr int kDeepest = 7;
constexpr std::size_t kMostPieces = 600;
constexpr std::size_t kKeys = 19;

/// The place of the next <symbol> in an alternative, from its `<` to after its `>`. What looks
/// alike, such as `a < b`, is Lua.
std::pair<std::size_t, std::size_t> find_symbol(std::string_view text, std::size_t from) {
  for (auto begin = text.find('<', from); begin != text.npos; begin = text.find('<', begin + 1)) {
    const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz :", begin + 1);
    if (end != text.npos && text[end] == '>' && end > begin + 1 && text[begin + 1] != ' ')
      return {begin, end + 1};
  }
  return {text.size(), text.size()};
}

std::vector<std::string_view> symbols_in(std::string_view alternative) {
  std::vector<std::string_view> symbols;
  for (auto [begin, end] = find_symbol(alternative, 0); begin < alternative.size();
       std::tie(begin, end) = find_symbol(alternative, end))
    symbols.push_back(alternative.substr(begin + 1, end - begin - 2));
  return symbols;
}

/// How many symbols deep the smallest thing is that a symbol or an alternative may become, whatever
/// variables there are.
class Heights {
 public:
  Heights() {
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& [symbol, alternatives] : kGrammar) {
        for (const std::string_view alternative : alternatives) {
          if (alternative.find("<var:") != alternative.npos) continue;
          const int height = of_alternative(alternative) + 1;
          const auto known = heights_.try_emplace(symbol, kUnknown).first;
          changed |= height < known->second;
          known->second = std::min(known->second, height);
        }
      }
    }
  }

  int of_alternative(std::string_view alternative) const {
    int height = 0;
    for (const std::string_view symbol : symbols_in(alternative))
      height = std::max(height, of_symbol(symbol));
    return height;
  }

  int of_symbol(std::string_view symbol) const {
    if (symbol == "block") symbol = "statement";
    if (!kGrammar.contains(symbol)) return 0;
    const auto known = heights_.find(symbol);
    return known == heights_.end() ? kUnknown : known->second;
  }

 private:
  static constexpr int kUnknown = 1000;
  std::map<std::string_view, int> heights_;
};

template <std::size_t size>
using Choices = std::array<const char*, size>;

constexpr Choices<10> kIntegers{"1", "2", "3", "7", "10", "100", "255", "1000", "65536", "123456"};
constexpr Choices<8> kFractions{"0.5", "0.1", "1.25", "2.5", "3.14159", "0.001", "99.99", "1e-7"};
constexpr Choices<3> kSteps{"0.5", "0.75", "1"};
constexpr Choices<20> kWords{"'apple'",   "'b'",       "'Hello World'", "'a=1,b=2'", "' x y  z '",
                             "'(a(b)c)'", "'foo-bar'", "'ABC'",         "'aab'",     "'1'",
                             "'42'",      "'3.5'",     "'0x10'",        "''",        "'key:1'",
                             "'a,b,,c'",  "'\"q\"'",   "'[1]'",         "'%d %%'",   "'/path/'"};
constexpr Choices<6> kBytes{R"('\0')",   R"('a\0b')", R"('\255\254')",
                            R"('\r\n')", R"('\t\\')", R"('caf\195\169')"};
constexpr Choices<8> kNumericArguments{"10", "-3.5", "0x10", "1e3", " 7 ", "0", "123456", "2.50"};
const std::array<std::string, 8> kArguments{
    "apple", "b", "Hello", "", "1", std::string("\0\xff", 2), "a=1", "{}"};
constexpr Choices<4> kKeyPrefixes{"key:", "a b ", "{x}", "\xff"};

}  // namespace

Program ScriptGenerator::next() {
  variables_.clear();
  pending_.clear();
  names_ = pieces_ = 0;
  Program program;
  const std::string prefix = kKeyPrefixes[below(kKeyPrefixes.size())];
  for (std::size_t i = 1; i <= kKeys; ++i) program.keys.push_back(prefix + std::to_string(i));
  for (int i = 0; i < 3; ++i)
    program.arguments.push_back(kNumericArguments[below(kNumericArguments.size())]);
  for (int i = 0; i < 3; ++i) program.arguments.push_back(kArguments[below(kArguments.size())]);

  Piece& script = program.script;
  script.symbol = "block";
  script.pieces.push_back({"prelude", {std::string(kPrelude)}, {}});
  for (std::size_t i = 4 + below(6); i > 0; --i) {
    Piece filling = expand("filling", 3);
    script.pieces.push_back({"statement", {"redis.call(", ")"}, {std::move(filling)}});
  }
  for (std::size_t i = 4 + below(14); i > 0; --i) script.pieces.push_back(statement(1));
  script.pieces.push_back(expand("result", 2));
  return program;
}

/// The variables that it makes can be used after it.
Piece ScriptGenerator::statement(int depth) {
  std::vector<Variable> outer = std::exchange(pending_, {});
  Piece made = expand("statement", depth);
  variables_.insert(variables_.end(), pending_.begin(), pending_.end());
  pending_ = std::move(outer);
  return made;
}

Piece ScriptGenerator::block(int depth) {
  const std::size_t outer = variables_.size();
  Piece made{"block", {}, {}};
  for (std::size_t i = 1 + below(3); i > 0; --i) made.pieces.push_back(statement(depth));
  variables_.resize(outer);
  return made;
}

Piece ScriptGenerator::expand(std::string_view symbol, int depth) {
  ++pieces_;
  const std::string_view alternative = choose(symbol, depth);
  Piece made{symbol, {""}, {}};
  std::string last_name;
  // Of <begin> and <function>; there is one of them at most.
  std::vector<Variable> outer_pending;
  std::size_t outer_variables = 0;
  bool is_function = false;

  std::size_t position = 0;
  while (true) {
    const auto [begin, end] = find_symbol(alternative, position);
    made.texts.back() += alternative.substr(position, begin - position);
    if (begin == alternative.size()) break;
    position = end;
    const std::string_view inner = alternative.substr(begin + 1, end - begin - 2);
    if (inner.starts_with("new:")) {
      last_name = new_name(inner.substr(4));
      made.texts.back() += last_name;
    } else if (inner == "last") {
      made.texts.back() += last_name;
    } else if (inner.starts_with("var:")) {
      made.texts.back() += variable(inner.substr(4));
    } else if (inner.starts_with("literal:")) {
      made.texts.back() += literal(inner.substr(8));
    } else if (inner == "begin" || inner == "function") {
      outer_pending = std::exchange(pending_, {});
      outer_variables = variables_.size();
      is_function = inner == "function";
      functions_ += is_function ? 1 : 0;
    } else if (inner == "now") {
      variables_.insert(variables_.end(), pending_.begin(), pending_.end());
      pending_.clear();
    } else if (inner == "end") {
      pending_ = std::move(outer_pending);
      variables_.resize(outer_variables);
      functions_ -= is_function ? 1 : 0;
    } else {
      made.pieces.push_back(inner == "block" ? block(depth + 1) : expand(inner, depth + 1));
      made.texts.emplace_back();
    }
  }
  return made;
}

/// Any of the alternatives that can be used here, and that end before the script becomes too deep
/// or too long, as far as there are such.
std::string_view ScriptGenerator::choose(std::string_view symbol, int depth) {
  static const Heights heights;
  const int room = pieces_ < kMostPieces ? kDeepest - depth : 0;
  const int highest = std::max(room, heights.of_symbol(symbol) - 1);
  Alternatives usable;
  for (const std::string_view alternative : kGrammar.find(symbol)->second) {
    if (can_be_used(alternative) && heights.of_alternative(alternative) <= highest)
      usable.push_back(alternative);
  }
  return usable[below(usable.size())];
}

bool ScriptGenerator::can_be_used(std::string_view alternative) const {
  return std::ranges::all_of(symbols_in(alternative), [&](std::string_view symbol) {
    return !symbol.starts_with("var:") ||
           std::ranges::any_of(variables_, [&](const Variable& variable) {
             return is_visible(variable, symbol.substr(4));
           });
  });
}

/// A function calls no other.
bool ScriptGenerator::is_visible(const Variable& variable, std::string_view type) const {
  return variable.type == type && (functions_ == 0 || !type.ends_with(" function"));
}

const std::string& ScriptGenerator::variable(std::string_view type) {
  std::vector<const std::string*> names;
  for (const Variable& variable : variables_) {
    if (is_visible(variable, type)) names.push_back(&variable.name);
  }
  return *names[below(names.size())];
}

std::string ScriptGenerator::new_name(std::string_view type) {
  std::string name(type.substr(0, type.find(' ')));
  name += std::to_string(++names_);
  pending_.push_back({type, name});
  return name;
}

std::string ScriptGenerator::literal(std::string_view kind) {
  const auto one_of = [&](const auto& choices) { return choices[below(choices.size())]; };
  const auto between = [&](std::size_t least, std::size_t most) {
    return std::to_string(least + below(most - least + 1));
  };
  if (kind == "integer") return one_of(kIntegers);
  if (kind == "fraction") return one_of(kFractions);
  if (kind == "step") return one_of(kSteps);
  if (kind == "word") return one_of(kWords);
  if (kind == "bytes") return one_of(kBytes);
  if (kind == "small") return between(1, 8);
  if (kind == "bound") return between(1, 4);
  if (kind == "bit") return between(0, 1);
  if (kind == "key") return between(1, kKeys);
  if (kind == "numeric argument") return between(1, 3);
  if (kind == "argument") return between(4, 6);
  return between(4102444800, 4102448400);  // "future": seconds, in the year 2100
}

}  // namespace moonshift::test
