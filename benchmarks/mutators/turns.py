"""Defects of fields, types, roles and answers."""

from __future__ import annotations

from benchmarks.mutators.base import Desk, Line, Row, as_conversations, as_messages, of_rows, set_objects


@of_rows("answer-missing", "S101 S105")
def answer_missing(row: Row, desk: Desk) -> Line:
    """No answer at all: the sample trains nothing."""
    del row["response"]
    return row


@of_rows("answer-null", "S101")
def answer_null(row: Row, desk: Desk) -> Line:
    """The annotator skipped the question."""
    return row | {"response": None}


@of_rows("answer-empty", "S101")
def answer_empty(row: Row, desk: Desk) -> Line:
    """The answer is an empty text."""
    return row | {"response": ""}


@of_rows("answer-only-spaces", "S101 L603")
def answer_spaces(row: Row, desk: Desk) -> Line:
    """The answer is white space."""
    return row | {"response": " \n"}


@of_rows("history-answer-empty", "S101", seeds="history")
def history_answer_empty(row: Row, desk: Desk) -> Line:
    """An answer in the middle of the talk is empty."""
    row["history"][0][1] = ""
    return row


@of_rows("field-image", "S103 T201", seeds="image", says="images", also="T201")
def field_image(row: Row, desk: Desk) -> Line:
    """'image' where 'images' is meant: the model never sees the picture."""
    return {"image" if key == "images" else key: value for key, value in row.items()}


@of_rows("field-respons", "S103 S101 S105", says="response", also="S101")
def field_respons(row: Row, desk: Desk) -> Line:
    """A misspelled field name."""
    return {"respons" if key == "response" else key: value for key, value in row.items()}


@of_rows("field-Response", "S103 S101 S105", says="response", also="S101")
def field_capital(row: Row, desk: Desk) -> Line:
    """A field name in the wrong letter case."""
    return {"Response" if key == "response" else key: value for key, value in row.items()}


@of_rows("field-sytem", "S103", says="system")
def field_sytem(row: Row, desk: Desk) -> Line:
    """A misspelled optional field: silently ignored by every tool."""
    return row | {"sytem": "Answer in one word."}


@of_rows("field-histroy", "S103", says="history", seeds="history", also="T202 T209 T210")
def field_histroy(row: Row, desk: Desk) -> Line:
    """A misspelled history: the earlier turns vanish."""
    row["query"] = row["history"][0][0] + row["query"]
    return {"histroy" if key == "history" else key: value for key, value in row.items()}


@of_rows("field-bbox_typ", "S103 G407 G401", seeds="box", says="bbox_type", also="G407")
def field_bbox_typ(row: Row, desk: Desk) -> Line:
    """A misspelled key inside objects."""
    text = row["objects"]
    assert isinstance(text, str)
    return row | {"objects": text.replace('"bbox_type"', '"bbox_typ"')}


@of_rows("query-is-a-number", "S104")
def query_number(row: Row, desk: Desk) -> Line:
    """A spreadsheet turned '42' into 42."""
    return row | {"query": 42}


@of_rows("answer-is-a-list", "S104")
def answer_list(row: Row, desk: Desk) -> Line:
    """Several reference answers where one text is meant."""
    return row | {"response": [row["response"], "Yes."]}


@of_rows("answer-is-a-bool", "S104")
def answer_bool(row: Row, desk: Desk) -> Line:
    """'yes' became true on the way through YAML."""
    return row | {"response": True}


@of_rows("images-are-objects", "S104", seeds="image")
def images_objects(row: Row, desk: Desk) -> Line:
    """Images in the form of another library: {path, bytes}."""
    return row | {"images": [{"path": path, "bytes": None} for path in row["images"]]}


@of_rows("images-is-a-number", "S104 T206", seeds="image")
def images_number(row: Row, desk: Desk) -> Line:
    """Image ids where paths are meant."""
    return row | {"images": [17]}


@of_rows("system-is-a-list", "S104")
def system_list(row: Row, desk: Desk) -> Line:
    """The system prompt as a list of parts."""
    return row | {"system": ["Be brief."]}


@of_rows("history-pair-of-one", "S107", seeds="history")
def history_one(row: Row, desk: Desk) -> Line:
    """A question of the history lost its answer."""
    row["history"][0] = row["history"][0][:1]
    return row


@of_rows("history-pair-of-three", "S107", seeds="history")
def history_three(row: Row, desk: Desk) -> Line:
    """A pair of the history has a third text."""
    row["history"][0] = [*row["history"][0], "and more"]
    return row


@of_rows("history-flat", "S107 S104", seeds="history")
def history_flat(row: Row, desk: Desk) -> Line:
    """The history is a flat list of texts."""
    return row | {"history": [text for pair in row["history"] for text in pair]}


@of_rows("two-user-turns", "S102", seeds="messages")
def two_users(row: Row, desk: Desk) -> Line:
    """Two user turns in a row: other tools drop one in silence."""
    row["messages"].insert(0, {"role": "user", "content": "Hello?"})
    return row


@of_rows("assistant-first", "S102", seeds="messages")
def assistant_first(row: Row, desk: Desk) -> Line:
    """The talk begins with a greeting of the assistant."""
    row["messages"].insert(0, {"role": "assistant", "content": "How can I help?"})
    return row


@of_rows("ends-with-user", "S101 S102", seeds="messages", also="S101 S102")
def ends_with_user(row: Row, desk: Desk) -> Line:
    """The talk ends with a question."""
    row["messages"].append({"role": "user", "content": "Thanks, and why?"})
    return row


@of_rows("system-in-the-middle", "S102", seeds="messages")
def system_middle(row: Row, desk: Desk) -> Line:
    """A system turn after the talk has begun."""
    row["messages"].insert(2, {"role": "system", "content": "Be brief."})
    return row


@of_rows("role-unknown", "S102 S104", seeds="messages")
def role_unknown(row: Row, desk: Desk) -> Line:
    """A role name of another tool."""
    row["messages"][0]["role"] = "client"
    return row


@of_rows("role-misspelled", "S102 S104", seeds="messages")
def role_misspelled(row: Row, desk: Desk) -> Line:
    """A misspelled role."""
    row["messages"][-1]["role"] = "asistant"
    return row


@of_rows("content-missing", "S104 S101", seeds="messages")
def content_missing(row: Row, desk: Desk) -> Line:
    """A turn without content."""
    del row["messages"][0]["content"]
    return row


@of_rows("answer-turn-empty", "S101", seeds="messages")
def answer_turn_empty(row: Row, desk: Desk) -> Line:
    """The assistant's turn is empty."""
    row["messages"][-1]["content"] = ""
    return row


@of_rows("conversation-value-missing", "S104 S101", seeds="conversations")
def value_missing(row: Row, desk: Desk) -> Line:
    """'content' written where the format says 'value'."""
    turn = row["conversations"][0]
    turn["content"] = turn.pop("value")
    return row


@of_rows("conversation-two-answers", "S102", seeds="conversations")
def two_answers(row: Row, desk: Desk) -> Line:
    """Two answers in a row, from a table of rated answers."""
    row["conversations"].append({"from": "gpt", "value": "Or rather not."})
    return row


@of_rows("formats-mixed", "S106")
def formats_mixed(row: Row, desk: Desk) -> Line:
    """A row with messages and with query and response: the reference keeps it empty, in silence."""
    return row | {"messages": as_messages(row)["messages"]}


@of_rows("format-unknown", "S105")
def format_unknown(row: Row, desk: Desk) -> Line:
    """The format of another tool."""
    return {"prompt": row["query"], "completion": row["response"]}


@of_rows("conversation-singular", "S105 S103")
def conversation_singular(row: Row, desk: Desk) -> Line:
    """'conversation' where 'conversations' is meant."""
    return {"conversation": as_conversations(row)["conversations"]}


@of_rows("tool-calls", "S109 S103 S104")
def tool_calls(row: Row, desk: Desk) -> Line:
    """Tools are named that the converted sample would not have."""
    return row | {"tools": [{"name": "search"}]}


@of_rows("rejected-answer", "S109 S103")
def rejected_answer(row: Row, desk: Desk) -> Line:
    """A preference row in a set for supervised training."""
    return row | {"rejected_response": "I do not know."}


@of_rows("question-empty-after-answer", "S108", seeds="history")
def question_empty(row: Row, desk: Desk) -> Line:
    """An empty question after an answer: the end of that answer is lost in the reference."""
    return row | {"query": ""}


@of_rows("objects-broken-json", "G407 S104", seeds="box", level=2)
def objects_broken(row: Row, desk: Desk) -> Line:
    """The text of objects is no JSON."""
    return row | {"objects": row["objects"].replace('"', "'")}


@of_rows("objects-is-one-object", "G407 S104", seeds="box", level=2)
def objects_one(row: Row, desk: Desk) -> Line:
    """One object where a list of objects is meant."""
    return set_objects(row, {"caption": "cat", "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0})
