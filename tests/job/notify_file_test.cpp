#include "job/notify_file.hpp"

#include <cstdlib>
#include <fstream>

#include "base/error.hpp"
#include "job/job_file.hpp"
#include "support/script_directory.hpp"

using namespace moonshift;
using namespace std::chrono_literals;
using record::When;

namespace {

const std::string kStep = "\n[[step]]\nscript = 'bullmq/clean'\n";

struct Schedules {
  explicit Schedules(const std::string& job, const std::string& shared = "") {
    std::ofstream(job_file()) << job << kStep;
    if (!shared.empty()) std::ofstream(directory.path() / job::kSharedFile) << shared;
  }

  std::filesystem::path job_file() const { return directory.path() / "try.toml"; }
  record::NotifySettings settings() const { return job::notify_settings(job_file()); }

  test::ScriptDirectory directory;
};

/// What read_job() says, from the line on.
std::string refusal(const std::string& job) {
  const Schedules schedules(job);
  try {
    job::read_job(schedules.job_file());
  } catch (const base::ConfigError& error) {
    return std::string(error.what()).substr(schedules.job_file().string().size());
  }
  return "accepted";
}

}  // namespace

TEST_CASE("[notify] is read whole") {
  const auto settings = Schedules(R"([notify]
webhook  = "https://hooks.example/x"
template = '{"text": "${summary}"}'
ping     = "https://hc.example/uuid"
sentry   = "https://key@sentry.example/1"
exec     = ["mail", "-s", "moonshift"]
when     = "change"
timeout  = "3s"
)")
                            .settings();
  CHECK(settings.webhook == "https://hooks.example/x");
  CHECK(settings.body_template == R"({"text": "${summary}"})");
  CHECK(settings.ping == "https://hc.example/uuid");
  CHECK(settings.sentry == "https://key@sentry.example/1");
  CHECK(settings.exec == std::vector<std::string>{"mail", "-s", "moonshift"});
  CHECK(settings.when == When::kChange);
  CHECK(settings.timeout == 3s);
}

TEST_CASE("the shared file fills in, key by key, what a job does not say itself") {
  const auto settings = Schedules(R"([notify]
ping = "https://hc.example/own"
sentry = ""
exec = []
)",
                                  R"([notify]
webhook = "https://hooks.example/shared"
ping = "https://hc.example/shared"
sentry = "https://key@sentry.example/1"
exec = ["mail"]
when = "always"
)")
                            .settings();
  CHECK(settings.webhook == "https://hooks.example/shared");
  CHECK(settings.ping == "https://hc.example/own");
  CHECK(settings.sentry == "");
  CHECK(settings.exec == std::vector<std::string>{});
  CHECK(settings.when == When::kAlways);
  CHECK_FALSE(settings.timeout);
}

TEST_CASE("the environment stands in URLs; a URL whose variable is not set is left out") {
  ::setenv("MOONSHIFT_TEST_HOOK", "secret", 1);
  const auto settings = Schedules(R"([notify]
webhook = "https://hooks.example/${MOONSHIFT_TEST_HOOK}"
ping = "${MOONSHIFT_TEST_UNSET}"
)")
                            .settings();
  ::unsetenv("MOONSHIFT_TEST_HOOK");
  CHECK(settings.webhook == "https://hooks.example/secret");
  CHECK_FALSE(settings.ping);
}

TEST_CASE("what is wrong in [notify] is told at its line and column, and shows no URL") {
  struct Case {
    std::string text;
    std::string refusal;
  };
  for (const Case& c : {
           Case{"webhok = 'x'", ":2:1: unknown key 'webhok' in [notify] (did you mean webhook?)"},
           Case{"webhook = 'hooks.example/secret'",
                ":2:11: webhook: it must be an http:// or https:// URL"},
           Case{"ping = 'redis://secret'", ":2:8: ping: it must be an http:// or https:// URL"},
           Case{"ping = 5", ":2:8: ping must be text in quotes"},
           Case{"sentry = 'https://host/secret'", ":2:10: sentry: it must be a DSN: "},
           Case{"template = '${jbo}'", ":2:12: template: there is no ${jbo} (did you mean job?)"},
           Case{"template = '{\"a\": }'", ":2:12: template: it begins as JSON"},
           Case{"exec = 'mail'", ":2:8: exec must be a list of text"},
           Case{"exec = ['mail', 5]", ":2:17: exec must be a list of text"},
           Case{"exec = ['']", ":2:8: exec: the name of the program is empty"},
           Case{"when = 'never'", ":2:8: when must be failure, change or always, not 'never'"},
           Case{"timeout = '0s'", ":2:11: timeout must be above 0"},
           Case{"timeout = '2h'", ":2:11: timeout must be at most 1h"},
           Case{"timeout = 'soon'", ":2:11: timeout: 'soon' is not a duration"},
           Case{"webhook = 'https://secret/${HOOK'", ":2:11: webhook: a '${' has no '}'"},
           Case{"ping = 'https://secret/${}'",
                ":2:8: ping: a '${...}' must hold the name of an environment variable"},
           Case{"ping = '${A}${B-C}'",
                ":2:8: ping: a '${...}' must hold the name of an environment variable"},
           Case{"sentry = 'https://${KEY@secret/1'", ":2:10: sentry: a '${' has no '}'"},
           Case{"webhook = ''\nping = ''\nsentry = '${DSN}'\nexec = []", "accepted"},
       }) {
    CAPTURE(c.text);
    const std::string said = refusal("[notify]\n" + c.text);
    CAPTURE(said);
    CHECK(said.starts_with(c.refusal));
    CHECK(said.find("secret") == std::string::npos);
  }
  CHECK(refusal("notify = 'x'").starts_with(":1:10: it is written [notify]"));
}

TEST_CASE("a shared file that is wrong is an error of its own, and no job's") {
  const Schedules schedules("[notify]\nwhen = 'always'", "[notify]\nwhen = 'never'");
  CHECK_THROWS_AS(job::read_shared_notify(schedules.directory.path()), base::ConfigError);
  CHECK(schedules.settings().when == When::kAlways);
  CHECK_NOTHROW(job::read_job(schedules.job_file()));
  const Schedules other("", "[step]\n");
  CHECK_THROWS_AS(job::read_shared_notify(other.directory.path()), base::ConfigError);
}

TEST_CASE("a job file that is wrong elsewhere, or in [notify], is told of by what can be read") {
  CHECK(Schedules("timeout = 'soon'\n[notify]\nwhen = 'always'").settings().when == When::kAlways);
  const std::string shared = "[notify]\nping = 'https://hc.example/uuid'";
  CHECK(Schedules("[notify]\nwhen = 'never'", shared).settings().ping == "https://hc.example/uuid");
  CHECK(Schedules("this is no TOML", shared).settings().ping == "https://hc.example/uuid");
}

TEST_CASE("the shared file is no job") {
  const Schedules schedules("", "[notify]\n");
  CHECK(job::job_files(schedules.directory.path()) ==
        std::vector<std::filesystem::path>{schedules.job_file()});
}
