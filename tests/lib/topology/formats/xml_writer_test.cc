#include "lib/topology/formats/xml_writer.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

TEST(XmlWriter, IndentsAndOrders) {
  XmlWriter xml({"id", "name"});
  xml.open("a");
  xml.attribute("zeta", "1");
  xml.attribute("name", "n");
  xml.attribute("beta", "2");
  xml.attribute("id", "0");
  EXPECT_TRUE(xml.has("beta"));
  xml.open("b");
  EXPECT_FALSE(xml.has("beta"));
  xml.close();
  xml.open("c");
  xml.open("d");
  xml.close();
  xml.close();
  xml.close();
  EXPECT_EQ(xml.element_count(), 4u);
  EXPECT_EQ(
      std::move(xml).text(),
      "<a id=\"0\" name=\"n\" beta=\"2\" zeta=\"1\">\n  <b/>\n  <c>\n    <d/>\n  </c>\n</a>\n");
}

TEST(XmlWriter, EscapesValuesAndLeavesOutWhatXmlCannotHold) {
  XmlWriter xml({});
  xml.open("a");
  xml.attribute("x", "<\"&\">\n\x01\xc3\xa4");
  xml.attribute("not a name", "1");
  xml.attribute("", "1");
  xml.attribute("1", "1");
  xml.close();
  EXPECT_EQ(std::move(xml).text(), "<a x=\"&lt;&quot;&amp;&quot;&gt;&#10;\xc3\xa4\"/>\n");
}

}  // namespace
}  // namespace unirack
