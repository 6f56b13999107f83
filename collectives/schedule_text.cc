#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "collectives/schedule.h"

namespace unirack {

namespace {

// What a text may ask for; far above what the generators make for pools of this library.
constexpr uint64_t kRanksMax = 2048;
constexpr uint64_t kPartsMax = uint64_t{1} << 22;  // chunks * data blocks
constexpr uint64_t kStagesMax = 64;
constexpr uint64_t kGranuleBytesMax = uint64_t{1} << 20;
constexpr size_t kScratchBlocksMax = 1 << 16;
constexpr size_t kScratchBlocksOfAllMax = 1
                                          << 24;  // every rank has them, but a text lists them once
constexpr size_t kStepsMax = 1 << 24;
constexpr size_t kNameLengthMax = 64;
constexpr size_t kLineLengthMax = 1 << 16;

constexpr std::string_view kTitle = "unirack schedule 1";
constexpr std::array<std::string_view, 3> kBuffers = {"input", "output", "scratch"};
constexpr std::array<std::string_view, 2> kForms = {"user", "partial"};

using std::to_string;

// ---- Printing ---------------------------------------------------------------------------------

std::string slice_text(const Slice& slice) {
  return to_string(slice.rank) + '.' + std::string(kBuffers[static_cast<size_t>(slice.buffer)]) +
         '.' + to_string(slice.block) + '@' + to_string(slice.origin);
}

std::string step_text(const Program& program, const Step& step) {
  const std::string peer = to_string(step.peer);
  if (step.op == Op::signal) return "signal " + peer + ' ' + to_string(step.value.v);
  if (step.op == Op::wait && step.value.v == 0) return "wait " + peer + " record";
  if (step.op == Op::wait) {
    std::string text =
        "wait " + peer + " lane " + to_string(step.peer_lane) + " value " + to_string(step.value.v);
    if (step.value.tiles_back > 0) text += " back " + to_string(step.value.tiles_back);
    return text;
  }
  std::string text = step.op == Op::copy ? "copy " : "reduce ";
  text +=
      to_string(step.begin) + ".." + to_string(step.end) + ' ' + slice_text(step.target) + " <-";
  for (uint32_t i = 0; i < step.sources.count; ++i) {
    text += ' ' + slice_text(program.sources[step.sources.first + i]);
  }
  return text;
}

std::string header_text(const ScheduleHeader& header) {
  std::string text(kTitle);
  text += "\ncollective " + std::string(collective_name(header.collective));
  text += "\nranks " + to_string(header.rank_count) + "\nroot " + to_string(header.root);
  text += "\nalgorithm " + header.algorithm + "\nflags";
  if (header.symmetric) text += " symmetric";
  if (header.in_place) text += " in_place";
  if (header.reassociates) text += " reassociates";
  text += "\nsum";
  for (const auto& group : header.sum_groups) {
    text += ' ';
    for (size_t i = 0; i < group.size(); ++i) text += (i > 0 ? "," : "") + to_string(group[i]);
  }
  text += "\nchunks " + to_string(header.chunks) + "\nstages " + to_string(header.stages);
  text += "\ngranule_bytes " + to_string(header.granule_bytes);
  return text + "\ntile_bytes " + to_string(header.tile_bytes) + '\n';
}

// ---- Parsing ----------------------------------------------------------------------------------

// Takes tokens off the front of one line.
class Tokens {
 public:
  explicit Tokens(std::string_view line) : rest_(line) {}

  std::string_view take() {
    const size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view token = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return token;
  }
  bool take_word(std::string_view word) {
    const std::string_view before = rest_;
    if (take() == word) return true;
    rest_ = before;
    return false;
  }
  bool is_empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// The number that is all of `text`, if it is at most `most`.
std::optional<uint64_t> number_in(std::string_view text, uint64_t most) {
  uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value > most) {
    return std::nullopt;
  }
  return value;
}

// The two sides of the first `separator`; all before it if there is none.
std::pair<std::string_view, std::string_view> split(std::string_view text,
                                                    std::string_view separator) {
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + separator.size())};
}

template <size_t N>
std::optional<size_t> index_of(const std::array<std::string_view, N>& names,
                               std::string_view name) {
  const auto* const found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<size_t>(found - names.begin());
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Result<Schedule> parse() {
    if (!next() || line_ != kTitle) return expected("\"" + std::string(kTitle) + "\"");
    UNIRACK_TRY(parse_header());
    UNIRACK_TRY(parse_storage());
    programs_.resize(static_cast<size_t>(header_.rank_count));
    for (Program& program : programs_) {
      program.lanes.resize(lanes_);
      program.scratch = scratch_;
      program.values_per_tile = values_;
    }
    while (next()) {
      Tokens tokens(line_);
      if (tokens.take_word("rank")) {
        UNIRACK_TRY(parse_section(tokens));
      } else {
        UNIRACK_TRY(parse_step(tokens));
      }
    }
    if (problem_) return *problem_;
    return Schedule(std::move(header_), std::move(programs_));
  }

 private:
  // The next line that is not empty and no comment.
  bool next() {
    while (!rest_.empty() && !problem_) {
      const size_t end = std::min(rest_.find('\n'), rest_.size());
      line_ = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++number_;
      if (line_.size() > kLineLengthMax) {
        problem_ = expected("at most " + to_string(kLineLengthMax) + " characters");
      } else if (!line_.empty() && line_[0] != '#') {
        return true;
      }
    }
    line_ = {};
    return false;
  }

  Error expected(const std::string& what) const {
    constexpr size_t kShown = 60;
    return make_error(Code::invalid_argument, "line " + to_string(number_) + ": expected " + what +
                                                  ", found \"" +
                                                  std::string(line_.substr(0, kShown)) + "\"");
  }

  // A line "<name> <number>".
  Result<uint64_t> field(std::string_view name, uint64_t least, uint64_t most) {
    const bool is_there = next();
    Tokens tokens(line_);
    if (is_there && tokens.take_word(name)) {
      const auto value = number_in(tokens.take(), most);
      if (value && *value >= least && tokens.is_empty()) return *value;
    }
    return expected("\"" + std::string(name) + "\" and a number from " + to_string(least) + " to " +
                    to_string(most));
  }

  Status parse_header() {
    const auto collective = UNIRACK_TRY(word_field("collective"));
    const auto known = collective_from_name(collective);
    if (!known) return expected("a collective");
    header_.collective = *known;
    header_.rank_count = static_cast<int>(UNIRACK_TRY(field("ranks", 1, kRanksMax)));
    const auto ranks = static_cast<uint64_t>(header_.rank_count);
    header_.root = static_cast<Rank>(UNIRACK_TRY(field("root", 0, ranks - 1)));
    header_.algorithm = UNIRACK_TRY(word_field("algorithm"));
    const bool is_plain = std::all_of(
        header_.algorithm.begin(), header_.algorithm.end(),
        [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    if (!is_plain) return expected("a name of a-z, 0-9 and _");
    UNIRACK_TRY(parse_flags());
    UNIRACK_TRY(parse_sum());
    const uint64_t blocks = std::max<uint64_t>(
        1, Layout(header_.collective, header_.rank_count, header_.root).data_blocks());
    header_.chunks = static_cast<uint32_t>(
        UNIRACK_TRY(field("chunks", 1, std::max<uint64_t>(1, kPartsMax / blocks))));
    parts_ = static_cast<uint32_t>(header_.chunks * blocks);
    header_.stages = static_cast<uint32_t>(UNIRACK_TRY(field("stages", 1, kStagesMax)));
    header_.granule_bytes =
        static_cast<uint32_t>(UNIRACK_TRY(field("granule_bytes", 1, kGranuleBytesMax)));
    header_.tile_bytes = UNIRACK_TRY(field("tile_bytes", 0, std::numeric_limits<uint64_t>::max()));
    return ok_status();
  }

  Result<std::string> word_field(std::string_view name) {
    const bool is_there = next();
    Tokens tokens(line_);
    if (is_there && tokens.take_word(name)) {
      const std::string_view word = tokens.take();
      if (!word.empty() && word.size() <= kNameLengthMax && tokens.is_empty()) {
        return std::string(word);
      }
    }
    return expected("\"" + std::string(name) + "\" and a name");
  }

  Status parse_flags() {
    const bool is_there = next();
    Tokens tokens(line_);
    if (!is_there || !tokens.take_word("flags")) return expected("\"flags\"");
    header_.symmetric = tokens.take_word("symmetric");
    header_.in_place = tokens.take_word("in_place");
    header_.reassociates = tokens.take_word("reassociates");
    if (!tokens.is_empty()) return expected("flags symmetric, in_place, reassociates in order");
    return ok_status();
  }

  Status parse_sum() {
    const bool is_there = next();
    Tokens tokens(line_);
    if (!is_there || !tokens.take_word("sum")) return expected("\"sum\"");
    while (!tokens.is_empty()) {
      auto& group = header_.sum_groups.emplace_back();
      std::string_view members = tokens.take();
      do {
        const auto [first, others] = split(members, ",");
        const auto rank = number_in(first, static_cast<uint64_t>(header_.rank_count) - 1);
        if (!rank) return expected("groups of ranks such as 0,1 2,3");
        group.push_back(static_cast<Rank>(*rank));
        members = others;
      } while (!members.empty());
    }
    return ok_status();
  }

  Status parse_storage() {
    values_ =
        static_cast<uint32_t>(UNIRACK_TRY(field("values", 1, (uint64_t{1} << kCounterBits) - 1)));
    lanes_ = UNIRACK_TRY(field("lanes", 1, kLanesMax));
    const auto ranks = static_cast<uint64_t>(header_.rank_count);
    const uint64_t most = std::min<uint64_t>(kScratchBlocksMax, kScratchBlocksOfAllMax / ranks);
    const uint64_t count = UNIRACK_TRY(field("scratch_blocks", 0, most));
    for (uint64_t i = 0; i < count; ++i) {
      const bool is_there = next();
      Tokens tokens(line_);
      if (!is_there || !tokens.take_word("scratch")) return expected("\"scratch\"");
      const auto parts = number_in(tokens.take(), header_.chunks);
      const auto form = index_of(kForms, tokens.take());
      if (!parts || *parts == 0 || !form || !tokens.is_empty()) {
        return expected("\"scratch\", at most " + to_string(header_.chunks) +
                        " parts, and user or partial");
      }
      scratch_.push_back({static_cast<uint32_t>(*parts), static_cast<Form>(*form)});
    }
    return ok_status();
  }

  Status parse_section(Tokens& tokens) {
    const auto rank = number_in(tokens.take(), programs_.size() - 1);
    const bool has_lane = tokens.take_word("lane");
    const auto lane = number_in(tokens.take(), lanes_ - 1);
    if (!rank || !has_lane || !lane || !tokens.is_empty()) {
      return expected("\"rank\", a rank, \"lane\" and a lane");
    }
    const uint64_t section = *rank * lanes_ + *lane;
    if (program_ != nullptr && section <= section_) return expected("a later rank and lane");
    section_ = section;
    program_ = &programs_[*rank];
    steps_ = &program_->lanes[*lane].steps;
    return ok_status();
  }

  Status parse_step(Tokens& tokens) {
    if (program_ == nullptr) return expected("\"rank\", a rank, \"lane\" and a lane");
    if (++step_count_ > kStepsMax) return expected("at most " + to_string(kStepsMax) + " steps");
    Step step;
    if (tokens.take_word("signal") || tokens.take_word("wait")) {
      step.op = line_[0] == 's' ? Op::signal : Op::wait;
      return parse_meeting(tokens, step);
    }
    const bool is_copy = tokens.take_word("copy");
    if (!is_copy && !tokens.take_word("reduce")) {
      return expected("copy, reduce, signal, wait or rank");
    }
    step.op = is_copy ? Op::copy : Op::reduce;
    const auto [begin, end] = split(tokens.take(), "..");
    const auto first = number_in(begin, parts_);
    const auto last = number_in(end, parts_);
    if (!first || !last || *first >= *last) {
      return expected("parts such as 2..3, at most " + to_string(parts_));
    }
    step.begin = static_cast<uint32_t>(*first);
    step.end = static_cast<uint32_t>(*last);
    step.target = UNIRACK_TRY(parse_slice(tokens.take()));
    if (!tokens.take_word("<-") || tokens.is_empty()) return expected("\"<-\" and sources");
    step.sources.first = static_cast<uint32_t>(program_->sources.size());
    while (!tokens.is_empty()) {
      program_->sources.push_back(UNIRACK_TRY(parse_slice(tokens.take())));
    }
    step.sources.count = static_cast<uint32_t>(program_->sources.size()) - step.sources.first;
    steps_->push_back(step);
    return ok_status();
  }

  Status parse_meeting(Tokens& tokens, Step step) {
    const auto peer = number_in(tokens.take(), programs_.size() - 1);
    if (!peer) return expected("a rank below " + to_string(programs_.size()));
    step.peer = static_cast<int32_t>(*peer);
    if (step.op == Op::signal) {
      const auto value = number_in(tokens.take(), values_);
      if (!value || *value == 0 || !tokens.is_empty()) {
        return expected("a value from 1 to " + to_string(values_));
      }
      step.value.v = static_cast<uint32_t>(*value);
    } else if (!tokens.take_word("record")) {
      UNIRACK_TRY(parse_wait(tokens, step));
    }
    if (!tokens.is_empty()) return expected("the end of the line");
    steps_->push_back(step);
    return ok_status();
  }

  Status parse_wait(Tokens& tokens, Step& step) const {
    const bool has_lane = tokens.take_word("lane");
    const auto lane = number_in(tokens.take(), lanes_ - 1);
    const bool has_value = tokens.take_word("value");
    const auto value = number_in(tokens.take(), values_);
    if (!has_lane || !lane || !has_value || !value || *value == 0) {
      return expected("\"record\", or \"lane\", a lane, \"value\" and a value");
    }
    step.peer_lane = static_cast<uint8_t>(*lane);
    step.value.v = static_cast<uint32_t>(*value);
    if (!tokens.take_word("back")) return ok_status();
    const auto back = number_in(tokens.take(), kStagesMax);
    if (!back || *back == 0) return expected("a number of tiles after \"back\"");
    step.value.tiles_back = static_cast<uint32_t>(*back);
    return ok_status();
  }

  // rank.buffer.block@origin
  Result<Slice> parse_slice(std::string_view text) const {
    const auto [rank_text, after_rank] = split(text, ".");
    const auto [buffer_text, after_buffer] = split(after_rank, ".");
    const auto [block_text, origin_text] = split(after_buffer, "@");
    const auto rank = number_in(rank_text, programs_.size() - 1);
    const auto buffer = index_of(kBuffers, buffer_text);
    const auto block = number_in(block_text, kScratchBlocksMax);
    const auto origin = number_in(origin_text, parts_ - 1);
    if (!rank || !buffer || !block || !origin) {
      return expected("slices such as 1.scratch.0@2");
    }
    const auto id = static_cast<BufferId>(*buffer);
    const uint64_t blocks = id == BufferId::scratch
                                ? scratch_.size()
                                : Layout(header_.collective, header_.rank_count, header_.root)
                                      .blocks(static_cast<Rank>(*rank), id);
    if (*block >= blocks) {
      return expected("blocks below " + to_string(blocks) + " in that buffer");
    }
    return Slice{static_cast<int32_t>(*rank), id, static_cast<uint32_t>(*block),
                 static_cast<uint32_t>(*origin)};
  }

  std::string_view rest_;
  std::string_view line_;
  size_t number_ = 0;
  std::optional<Error> problem_;
  ScheduleHeader header_;
  uint32_t parts_ = 0;
  uint32_t values_ = 1;
  uint64_t lanes_ = 1;
  std::vector<ScratchBlock> scratch_;
  std::vector<Program> programs_;
  uint64_t section_ = 0;
  size_t step_count_ = 0;
  Program* program_ = nullptr;
  std::vector<Step>* steps_ = nullptr;
};

}  // namespace

std::string to_text(const Schedule& schedule) {
  const Program& first = schedule.program_view(0);
  std::string text = header_text(schedule.header());
  text += "values " + to_string(first.values_per_tile) + "\nlanes " +
          to_string(first.lanes.size()) + "\nscratch_blocks " + to_string(first.scratch.size()) +
          '\n';
  for (const ScratchBlock& block : first.scratch) {
    text += "scratch " + to_string(block.parts) + ' ' +
            std::string(kForms[static_cast<size_t>(block.form)]) + '\n';
  }
  for (Rank rank = 0; rank < schedule.header().rank_count; ++rank) {
    const Program& program = schedule.program_view(rank);
    for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
      if (program.lanes[lane].steps.empty()) continue;
      text += "rank " + to_string(rank) + " lane " + to_string(lane) + '\n';
      for (const Step& step : program.lanes[lane].steps) text += step_text(program, step) + '\n';
    }
  }
  return text;
}

Result<Schedule> schedule_from_text(std::string_view text) { return Parser(text).parse(); }

}  // namespace unirack
