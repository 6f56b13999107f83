#include "collectives/calibrate/report.h"

#include <gmock/gmock.h>

namespace unirack {
namespace {

TEST(CalibrationReport, DecodesWhatWasEncoded) {
  EXPECT_TRUE(encode_report({}).empty());
  EXPECT_EQ(decode_report({}).value().kind, ReportKind::nothing);

  CalibrationReport costs{ReportKind::costs, CostsOrigin::cache, assumed_costs(), {}};
  costs.costs.of(LinkKind::ethernet) = {1, 2, 3, true, true};
  const auto read = decode_report(encode_report(costs));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->kind, ReportKind::costs);
  EXPECT_EQ(read->origin, CostsOrigin::cache);
  EXPECT_EQ(read->costs, costs.costs);

  CalibrationReport measure;
  measure.kind = ReportKind::measure;
  EXPECT_EQ(decode_report(encode_report(measure)).value().kind, ReportKind::measure);

  for (const ReportKind kind : {ReportKind::refused, ReportKind::failed}) {
    CalibrationReport report;
    report.kind = kind;
    report.error = make_error(Code::timeout, "rank 3 did not answer", 3, 11);
    const auto again = decode_report(encode_report(report));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->kind, kind);
    EXPECT_EQ(again->error.code, Code::timeout);
    EXPECT_EQ(again->error.culprit, 3);
    EXPECT_EQ(again->error.sys_errno, 11);
    EXPECT_EQ(again->error.detail, "rank 3 did not answer");
  }
}

TEST(CalibrationReport, NonsenseIsCorrupted) {
  CalibrationReport costs;
  costs.kind = ReportKind::costs;
  std::vector<std::byte> bytes = encode_report(costs);
  EXPECT_EQ(decode_report(BytesView(bytes).first(1)).code(), Code::corrupted);
  EXPECT_EQ(decode_report(BytesView(bytes).first(2)).code(), Code::invalid_argument);
  EXPECT_EQ(decode_report(BytesView(bytes).first(10)).code(), Code::invalid_argument);
  bytes[0] = std::byte{9};
  EXPECT_EQ(decode_report(bytes).code(), Code::corrupted);
  bytes[0] = static_cast<std::byte>(ReportKind::costs);
  bytes[1] = std::byte{9};
  EXPECT_EQ(decode_report(bytes).code(), Code::corrupted);
  // No error has the code "ok".
  CalibrationReport failed;
  failed.kind = ReportKind::failed;
  failed.error = make_error(Code::timeout, "late");
  bytes = encode_report(failed);
  bytes[1] = std::byte{0};
  EXPECT_EQ(decode_report(bytes).value().error.code, Code::internal);
  bytes.resize(4);
  EXPECT_EQ(decode_report(bytes).code(), Code::corrupted);
}

}  // namespace
}  // namespace unirack
