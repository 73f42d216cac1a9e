-- Sends the requests of a file, one after another, and says at the end what became of them.
--   wrk -s drive.lua ADDRESS -- FILE FIRST
-- A line is "G <tab> path", or "P <tab> photo file <tab> offset <tab> byte": that photo with one byte replaced.

local BOUNDARY = "----lookalike-benchmark"
local HEAD = "--" .. BOUNDARY .. "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n"
  .. "Content-Type: image/jpeg\r\n\r\n"
local TAIL = "\r\n--" .. BOUNDARY .. "--\r\n"
local HEADERS = { ["Content-Type"] = "multipart/form-data; boundary=" .. BOUNDARY }

local lines, photos, threads = {}, {}, {}

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  for line in io.lines(args[1]) do lines[#lines + 1] = line end
  sent = tonumber(args[2])
end

local function photo(name)
  if not photos[name] then
    local file = assert(io.open(name, "rb"))
    photos[name] = file:read("*a")
    file:close()
  end
  return photos[name]
end

function request()
  local line = lines[sent % #lines + 1]
  sent = sent + 1
  if line:sub(1, 1) == "G" then return wrk.format("GET", line:sub(3)) end
  local name, offset, byte = line:match("^P\t(.-)\t(%d+)\t(%d+)$")
  local data, at = photo(name), tonumber(offset)
  local body = HEAD .. data:sub(1, at) .. string.char(tonumber(byte)) .. data:sub(at + 2) .. TAIL
  return wrk.format("POST", "/v1/search/image", HEADERS, body)
end

function done(summary, latency, requests)
  local last = 0
  for _, thread in ipairs(threads) do last = math.max(last, thread:get("sent")) end
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"answers": %d, "took_us": %d, "refused": %d, "broken": %d, "p50_us": %d, "p99_us": %d, "next": %d}\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), last))
end
