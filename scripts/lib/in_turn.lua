--- atomically() for items that must not be decided on together: items of one batch may belong to one transaction, and
-- then none of them sees what another is about to write.
local not_yet = {}

--- What an item is deciding on, by its name, until its writes have happened.
local claimed = {}

--- As atomically(keys, decide), but `decide(write, watch, claim)` may say `claim(name)`: then it has that to itself. It
-- claims one name at most, and not before it has read something (others run meanwhile). Nobody waits while holding one,
-- so that nothing can lock up.
return function(keys, decide)
  local own = {} -- tells this item from the others

  local function attempt()
    local mine
    local function claim(name)
      if claimed[name] and claimed[name] ~= own then error(not_yet, 0) end
      claimed[name], mine = own, name
    end
    local done, outcome, reason = pcall(atomically, keys, function(write, watch)
      return decide(write, watch, claim)
    end)
    if mine then claimed[mine] = nil end
    return done, outcome, reason
  end

  local done, outcome, reason
  repeat done, outcome, reason = attempt() until done or outcome ~= not_yet
  if not done then error(outcome, 0) end
  return outcome, reason
end
