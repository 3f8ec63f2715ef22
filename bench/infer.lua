-- wrk: the same request over and over. Environment: BENCH_BODY, BENCH_KEY (files).
-- At the end one line for bench/infer.c: requests, microseconds, p50 and p99 in microseconds, failures.
local function read(name)
    local file = assert(io.open(os.getenv(name), "r"))
    local text = file:read("*a")
    file:close()
    return (text:gsub("%s+$", ""))
end

wrk.method = "POST"
wrk.body = read("BENCH_BODY")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. read("BENCH_KEY")

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("\nbench %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
