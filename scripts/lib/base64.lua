--- Base64 as RFC 4648 has it.
local base64 = {}

local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function digit(number) return digits:sub(number + 1, number + 1) end

function base64.encode(text)
  local encoded = {}
  for at = 1, #text, 3 do
    local first, second, third = text:byte(at, at + 2)
    local bits = first * 65536 + (second or 0) * 256 + (third or 0)
    encoded[#encoded + 1] = digit(math.floor(bits / 262144)) .. digit(math.floor(bits / 4096) % 64)
      .. (second and digit(math.floor(bits / 64) % 64) or "=") .. (third and digit(bits % 64) or "=")
  end
  return table.concat(encoded)
end

return base64
