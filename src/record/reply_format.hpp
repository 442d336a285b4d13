#pragma once

#include <string>

#include "redis/reply.hpp"

namespace moonshift::record {

// How a script's reply is shown. All take replies as RESP2 has them, and those of RESP3 as a RESP2
// client gets them: a map is a flat array, a double a string.
// None recurses, so that a reply may be nested as deep as it likes.

/// One line of JSON: an integer is a number, a string `{"b":"<base64>"}`, a status `{"s":"OK"}`,
/// nil `null`, an array an array, an error `{"e":"text"}`. What is no UTF-8 in the text of a status
/// or an error is replaced by U+FFFD.
std::string to_json(const redis::Reply& reply);

/// The whole answer to a script as one line of JSON: `{"ok":true,"reply":...}`, or for an error
/// `{"ok":false,"error":"ERR text"}`.
std::string eval_answer(const redis::Reply& reply);

/// What redis-cli prints on a terminal, with its last newline.
std::string to_human(const redis::Reply& reply);

/// As it goes over the wire.
std::string to_resp(const redis::Reply& reply);

}  // namespace moonshift::record
