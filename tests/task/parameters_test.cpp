#include "task/parameters.hpp"

#include "base/error.hpp"

using namespace moonshift;
using lua::Value;
using task::GivenParameters;
using task::Parameters;

namespace {

Value declare(const std::string& type, Value::Record more = {}) {
  more["type"] = type;
  more["help"] = std::string("what it is");
  return more;
}

Parameters parameters(Value::Record declared) {
  return Parameters("try", Value(std::move(declared)));
}

std::string refusal(const Parameters& declared, const GivenParameters& given) {
  try {
    declared.resolve(given);
  } catch (const base::ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("text from a command line becomes values of the declared types") {
  const Parameters all = parameters(
      {{"s", declare("string")},
       {"i", declare("integer")},
       {"n", declare("number")},
       {"b", declare("boolean")},
       {"d", declare("duration")},
       {"y", declare("bytes")},
       {"g", declare("glob")},
       {"e", declare("enum", {{"values", Value::List{std::string("x"), std::string("y")}}})}});
  const auto values = all.resolve({{"s", std::string("7")},
                                   {"i", std::string("-3")},
                                   {"n", std::string("0.5")},
                                   {"b", std::string("true")},
                                   {"d", std::string("1s500us")},
                                   {"y", std::string("1kb")},
                                   {"g", std::string("a*")},
                                   {"e", std::string("y")}});
  CHECK(values.at("s") == Value(std::string("7")));
  CHECK(values.at("i") == Value(-3.0));
  CHECK(values.at("n") == Value(0.5));
  CHECK(values.at("b") == Value(true));
  CHECK(values.at("d") == Value(1000.5));
  CHECK(values.at("y") == Value(1024.0));
  CHECK(values.at("e") == Value(std::string("y")));
}

TEST_CASE("defaults are converted like what is given; what has neither is absent") {
  const auto values = parameters({{"d", declare("duration", {{"default", std::string("7d")}})},
                                  {"s", declare("string")}})
                          .resolve({});
  CHECK(values.at("d") == Value(604'800'000.0));
  CHECK_FALSE(values.contains("s"));
}

TEST_CASE("a time is a moment, or a duration before the run") {
  const Parameters time = parameters({{"since", declare("time")}});
  const base::UnixTime now{std::chrono::hours(24)};
  const auto resolved = [&](const std::string& text) {
    return time.resolve({{"since", text}}, now).at("since");
  };
  CHECK(resolved("2h") == Value(79'200'000.0));
  CHECK(resolved("1970-01-01T00:00:01.5Z") == Value(1500.0));
  CHECK(resolved("1500") == Value(1500.0));
}

TEST_CASE("a list takes one value or several") {
  const Parameters list = parameters({{"g", declare("glob", {{"list", true}})}});
  CHECK(list.resolve({{"g", std::string("a*")}}).at("g") == Value(Value::List{std::string("a*")}));
  const Value two = Value::List{std::string("a*"), std::string("b*")};
  CHECK(list.resolve({{"g", two}}).at("g") == two);
  CHECK(refusal(parameters({{"g", declare("glob")}}), {{"g", two}}).find("one value only") !=
        std::string::npos);
}

TEST_CASE("a wrong value is refused with its parameter, its type and itself") {
  struct Case {
    std::string type;
    Value value;
  };
  for (const Case& c :
       {Case{"integer", std::string("7d")}, Case{"integer", 1.5},
        Case{"integer", std::string("99999999999999999999")}, Case{"number", std::string("many")},
        Case{"number", std::string("nan")}, Case{"boolean", std::string("maybe")},
        Case{"duration", std::string("7")}, Case{"duration", 7.0},
        Case{"bytes", std::string("7 mb")}, Case{"time", std::string("tonight")}, Case{"time", 7.0},
        Case{"string", 7.0}}) {
    CAPTURE(c.type);
    const std::string text = refusal(parameters({{"p", declare(c.type)}}), {{"p", c.value}});
    CHECK(text.find("parameter 'p' (" + std::string(c.type) + ")") != std::string::npos);
  }
}

TEST_CASE("an unknown parameter is refused with the nearest and all known ones") {
  const std::string text =
      refusal(parameters({{"older_than", declare("duration")}}), {{"older", std::string("7d")}});
  CHECK(text ==
        "try: there is no parameter 'older' (did you mean older_than?); it has: older_than");
}

TEST_CASE("a required parameter that is missing is named") {
  CHECK(refusal(parameters({{"p", declare("glob", {{"required", true}})}}), {}) ==
        "try: the parameter 'p' is required: what it is (glob)");
}

TEST_CASE("a declaration that is wrong itself is refused") {
  for (const Value& wrong :
       {Value(std::string("string")), Value(Value::Record{{"type", std::string("string")}}),
        declare("text"), declare("enum"), declare("integer", {{"default", std::string("x")}}),
        declare("string", {{"defualt", std::string("x")}})}) {
    CHECK_THROWS_AS(parameters({{"p", wrong}}), base::ConfigError);
  }
  CHECK_THROWS_AS(parameters({{"now", declare("integer")}}), base::ConfigError);
}
