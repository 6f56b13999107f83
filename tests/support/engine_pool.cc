#include "tests/support/engine_pool.h"

#include <atomic>
#include <thread>

#include "lib/base/random.h"
#include "tests/support/fake_pool.h"

namespace unirack::testing {

namespace {

struct Member {
  const EnginePoolOptions& options;
  FakePool& pool;
  uint64_t instance;
  std::span<const std::byte> key;

  Status run(Rank rank, const std::function<Status(Rank, Engine&)>& body) const {
    Config config;
    config.transports = options.transports;
    config.sum_shape = options.sum_shape;
    config.scratch_bytes = options.scratch_bytes;
    if (!options.domains.empty()) config.domain = options.domains[static_cast<size_t>(rank)];
    auto fabric = UNIRACK_TRY(Fabric::open({rank, options.rank_count, instance, key, &config}));
    std::atomic<Engine*> serving = nullptr;
    JoinRequest join;
    join.rank = rank;
    join.rank_count = options.rank_count;
    join.card = encode_card(fabric->card(config.domain));
    join.answer = [&](Rank, std::span<const std::byte> question) {
      Engine* engine = serving.load();
      if (engine != nullptr) return engine->answer(question);
      return Result<std::vector<std::byte>>(make_error(Code::unavailable, "still joining"));
    };
    join.on_verdict = [&] {
      if (Engine* engine = serving.load()) engine->wake();
    };
    const auto control = pool.join(std::move(join));
    UNIRACK_TRY(fabric->connect(*control, config, deadline_in(std::chrono::seconds(20))));
    if (options.on_fabric) UNIRACK_TRY(options.on_fabric(*fabric, *control, config));
    const auto engine = UNIRACK_TRY(Engine::create(std::move(fabric), *control, config));
    serving.store(engine.get());
    UNIRACK_TRY(control->exchange({}, kNoDeadline));
    Status status = body(rank, *engine);
    // No engine goes while a peer may still need it.
    UNIRACK_TRY(control->exchange({}, kNoDeadline));
    return status;
  }
};

}  // namespace

Status run_engines(const EnginePoolOptions& options,
                   const std::function<Status(Rank, Engine&)>& body) {
  FakePool pool(options.rank_count);
  std::array<std::byte, 32> key{};
  UNIRACK_TRY(fill_random(key));
  static std::atomic<uint64_t> instances = 1;
  const Member member{options, pool, instances++, key};
  std::vector<Status> statuses(static_cast<size_t>(options.rank_count), ok_status());
  std::vector<std::thread> threads;
  for (Rank rank = 0; rank < options.rank_count; ++rank) {
    threads.emplace_back(
        [&, rank] { statuses[static_cast<size_t>(rank)] = member.run(rank, body); });
  }
  for (std::thread& thread : threads) thread.join();
  for (Status& status : statuses) UNIRACK_TRY(std::move(status));
  return ok_status();
}

}  // namespace unirack::testing
