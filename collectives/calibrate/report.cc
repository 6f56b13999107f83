#include "collectives/calibrate/report.h"

#include <string>

#include "collectives/calibrate/costs_file.h"

namespace unirack {

namespace {

constexpr size_t kDetailBytesMax = 1024;

}  // namespace

std::vector<std::byte> encode_report(const CalibrationReport& report) {
  std::vector<std::byte> bytes;
  if (report.kind == ReportKind::nothing) return bytes;
  Writer writer(bytes);
  writer.put(static_cast<uint8_t>(report.kind));
  if (report.kind == ReportKind::costs) {
    writer.put(static_cast<uint8_t>(report.origin));
    writer.put_bytes(bytes_of(to_text(report.costs)));
  } else if (report.kind != ReportKind::measure) {
    writer.put(static_cast<uint8_t>(report.error.code));
    writer.put(static_cast<int32_t>(report.error.culprit));
    writer.put(static_cast<int32_t>(report.error.sys_errno));
    writer.put_bytes(bytes_of(std::string_view(report.error.detail).substr(0, kDetailBytesMax)));
  }
  return bytes;
}

Result<CalibrationReport> decode_report(BytesView bytes) {
  CalibrationReport report;
  if (bytes.empty()) return report;
  Reader reader(bytes);
  const auto kind = UNIRACK_TRY(reader.take<uint8_t>());
  if (kind > static_cast<uint8_t>(ReportKind::failed)) {
    return make_error(Code::corrupted, "a report of calibration of an unknown kind");
  }
  report.kind = static_cast<ReportKind>(kind);
  if (report.kind == ReportKind::costs) {
    const auto origin = UNIRACK_TRY(reader.take<uint8_t>());
    if (origin > static_cast<uint8_t>(CostsOrigin::measured)) {
      return make_error(Code::corrupted, "a report of costs of unknown origin");
    }
    report.origin = static_cast<CostsOrigin>(origin);
    report.costs = UNIRACK_TRY(costs_from_text(text_of(reader.rest())));
    return report;
  }
  if (report.kind == ReportKind::refused || report.kind == ReportKind::failed) {
    const auto code = UNIRACK_TRY(reader.take<uint8_t>());
    report.error.code = code > 0 && code <= static_cast<uint8_t>(Code::internal)
                            ? static_cast<Code>(code)
                            : Code::internal;
    report.error.culprit = UNIRACK_TRY(reader.take<int32_t>());
    report.error.sys_errno = UNIRACK_TRY(reader.take<int32_t>());
    report.error.detail =
        text_of(reader.rest().first(std::min(reader.remaining(), kDetailBytesMax)));
    return report;
  }
  UNIRACK_TRY(reader.expect_end());
  return report;
}

}  // namespace unirack
