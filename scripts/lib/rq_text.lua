--- The compressed texts of RQ: tracebacks are zlib streams, base64 where they are in a result (results.py, job.py).
local rq_text = {}

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function to_base64(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local word = a * 65536 + (b or 0) * 256 + (c or 0)
    for place = 3, 0, -1 do
      local at = math.floor(word / 64 ^ place) % 64 + 1
      out[#out + 1] = alphabet:sub(at, at)
    end
    if not c then out[#out] = "=" end
    if not b then out[#out - 1] = "=" end
  end
  return table.concat(out)
end

local function from_base64(text)
  local value_of = {}
  for i = 1, 64 do value_of[alphabet:byte(i)] = i - 1 end
  local out, word, bits = {}, 0, 0
  for i = 1, #text do
    local value = value_of[text:byte(i)]
    if value then
      word, bits = (word * 64 + value) % 2 ^ 24, bits + 6
      if bits >= 8 then
        bits = bits - 8
        out[#out + 1] = string.char(math.floor(word / 2 ^ bits) % 256)
      end
    end
  end
  return table.concat(out)
end

--- Some text as a zlib stream (RFC 1950) of one stored block: what decompresses to it, not what is smallest.
function rq_text.compress(text)
  local low, high = 1, 0
  for i = 1, #text do
    low = (low + text:byte(i)) % 65521
    high = (high + low) % 65521
  end
  local size = #text
  return "\120\1\1" .. string.char(size % 256, math.floor(size / 256), 255 - size % 256, 255 - math.floor(size / 256))
    .. text .. string.char(math.floor(high / 256), high % 256, math.floor(low / 256), low % 256)
end

-- Decompression (RFC 1951)

--- A reader of the bits of some bytes, the lowest bit of each byte first.
local function bit_reader(bytes, at)
  local reader, word, held = {}, 0, 0
  function reader.bits(count)
    while held < count do
      word, held, at = word + (bytes:byte(at) or error("it ends too early", 0)) * 2 ^ held, held + 8, at + 1
    end
    local value = word % 2 ^ count
    word, held = math.floor(word / 2 ^ count), held - count
    return value
  end
  function reader.bytes(count) -- the bits up to the next byte are skipped
    word, held = 0, 0
    local size = bytes:byte(at) + 256 * bytes:byte(at + 1)
    at = at + count
    local stored = bytes:sub(at, at + size - 1)
    at = at + size
    return stored
  end
  return reader
end

--- A canonical Huffman code by the lengths of its symbols' codes: [length][code] -> symbol.
local function huffman(lengths, first, last)
  local counts, codes, next_code, code = {}, {}, {}, 0
  for i = first, last do counts[lengths[i]] = (counts[lengths[i]] or 0) + 1 end
  for length = 1, 15 do
    code = (code + (length > 1 and counts[length - 1] or 0)) * 2
    next_code[length], codes[length] = code, {}
  end
  for i = first, last do
    local length = lengths[i]
    if length > 0 then
      codes[length][next_code[length]] = i - first
      next_code[length] = next_code[length] + 1
    end
  end
  return codes
end

local function symbol(reader, codes)
  local code = 0
  for length = 1, 15 do
    code = code * 2 + reader.bits(1)
    local found = codes[length][code]
    if found then return found end
  end
  error("it has an unknown code", 0)
end

local function fixed_codes()
  local lengths, distances = {}, {}
  for i = 0, 287 do lengths[i] = i < 144 and 8 or i < 256 and 9 or i < 280 and 7 or 8 end
  for i = 0, 29 do distances[i] = 5 end
  return huffman(lengths, 0, 287), huffman(distances, 0, 29)
end

local order = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 }
local repeats = { [16] = { 2, 3 }, [17] = { 3, 3 }, [18] = { 7, 11 } }

local function dynamic_codes(reader)
  local literals, distances, count = reader.bits(5) + 257, reader.bits(5) + 1, reader.bits(4) + 4
  local lengths = {}
  for i = 0, 18 do lengths[i] = 0 end
  for i = 1, count do lengths[order[i]] = reader.bits(3) end
  local code_lengths, all, at = huffman(lengths, 0, 18), {}, 0
  while at < literals + distances do
    local length = symbol(reader, code_lengths)
    local many = repeats[length]
    local times = many and reader.bits(many[1]) + many[2] or 1
    if many then length = length == 16 and all[at - 1] or 0 end
    for _ = 1, times do all[at], at = length, at + 1 end
  end
  return huffman(all, 0, literals - 1), huffman(all, literals, literals + distances - 1)
end

--- Base and extra bits of the lengths and distances, whose numbers grow in powers of two.
local function steps(first, count, group)
  local bases, extras, base = {}, {}, first
  for i = 0, count - 1 do
    extras[i] = math.max(0, math.floor(i / group) - 1)
    bases[i], base = base, base + 2 ^ extras[i]
  end
  return bases, extras
end
local length_bases, length_extras = steps(3, 28, 4)
length_bases[28], length_extras[28] = 258, 0
local distance_bases, distance_extras = steps(1, 30, 2)

local function inflate_block(reader, out, literals, distances, most)
  while #out < most do
    local it = symbol(reader, literals)
    if it < 256 then
      out[#out + 1] = string.char(it)
    elseif it == 256 then
      return
    else
      local length = length_bases[it - 257] + reader.bits(length_extras[it - 257])
      local code = symbol(reader, distances)
      local from = #out - distance_bases[code] - reader.bits(distance_extras[code])
      for i = 1, length do out[#out + 1] = out[from + i] end
    end
  end
end

local function inflate(bytes, most)
  local reader, out = bit_reader(bytes, 3), {}
  local last
  repeat
    last = reader.bits(1) == 1
    local kind = reader.bits(2)
    if kind == 0 then
      for byte in reader.bytes(4):gmatch(".") do out[#out + 1] = byte end
    elseif kind == 1 then
      local literals, distances = fixed_codes()
      inflate_block(reader, out, literals, distances, most)
    elseif kind == 2 then
      local literals, distances = dynamic_codes(reader)
      inflate_block(reader, out, literals, distances, most)
    else
      error("it has an unknown block", 0)
    end
  until last or #out >= most
  return table.concat(out)
end

local most_text = 1024 * 1024 -- bytes; of a longer traceback the beginning is enough

--- The text of a zlib stream; as RQ has it, anything else is the text itself.
function rq_text.decompress(bytes)
  if bytes:byte(1) ~= 120 or #bytes < 6 then return bytes end
  local done, text = pcall(inflate, bytes, most_text)
  return done and text or bytes
end

function rq_text.pack(text) return to_base64(rq_text.compress(text)) end

function rq_text.unpack(packed) return rq_text.decompress(from_base64(packed)) end

return rq_text
