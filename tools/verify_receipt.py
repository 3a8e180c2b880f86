#!/usr/bin/env python3
"""Checks a receipt of the supervision log (监管日志凭证) with nothing but Python's standard library.

    verify_receipt.py RECEIPT.json [KEY]     KEY: file with the log's public key, got elsewhere
Exit 0: it holds; 1: it does not; 2: it cannot be read. SM3: GB/T 32905. SM2: GB/T 32918, id 1234567812345678.
Tree: RFC 6962. Checkpoint: a C2SP signed note."""
import base64, json, re, struct, sys

PAYLOAD = {"salt", "actor", "object", "reason", "request_id"}
KIND = b"\xffmingjian/sm2-sm3"
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF  # the curve sm2p256v1
A, MASK = P - 3, 0xFFFFFFFF
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
     0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0)
rotate = lambda x, n: (x << n % 32 | x >> (32 - n % 32)) & MASK


def sm3(data):
    v = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = data + b"\x80" + b"\0" * ((55 - len(data)) % 64) + struct.pack(">Q", len(data) * 8)
    for start in range(0, len(padded), 64):
        w = list(struct.unpack(">16I", padded[start:start + 64]))
        for j in range(16, 68):
            x = w[j - 16] ^ w[j - 9] ^ rotate(w[j - 3], 15)
            w.append(x ^ rotate(x, 15) ^ rotate(x, 23) ^ rotate(w[j - 13], 7) ^ w[j - 6])
        a, b, c, d, e, f, g, h = v
        for j in range(64):
            s1 = rotate((rotate(a, 12) + e + rotate(0x79CC4519 if j < 16 else 0x7A879D8A, j)) & MASK, 7)
            s2 = s1 ^ rotate(a, 12)
            ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
            gg = e ^ f ^ g if j < 16 else (e & f) | (~e & MASK & g)
            t2 = (gg + h + s1 + w[j]) & MASK
            a, b, c, d = (ff + d + s2 + (w[j] ^ w[j + 4])) & MASK, a, rotate(b, 9), c
            e, f, g, h = t2 ^ rotate(t2, 9) ^ rotate(t2, 17), e, rotate(f, 19), g
        v = [x ^ y for x, y in zip(v, (a, b, c, d, e, f, g, h))]
    return struct.pack(">8I", *v)


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % P == 0:
        return None
    top, low = (3 * p[0] * p[0] + A, 2 * p[1]) if p == q else (q[1] - p[1], q[0] - p[0])
    slope = top * pow(low, -1, P) % P
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def times(k, p):
    return add(times(k >> 1, add(p, p)), p if k & 1 else None) if k else None


def sm2_holds(point, message, signature):
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    if len(point) != 65 or point[0] != 4 or (y * y - x * x * x - A * x - B) % P or len(signature) != 64:
        return False
    z = sm3(b"\0\x801234567812345678" + b"".join(n.to_bytes(32, "big") for n in (A, B, *G, x, y)))
    e = int.from_bytes(sm3(z + message), "big")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    found = 0 < r < N and 0 < s < N and (r + s) % N and add(times(s, G), times((r + s) % N, (x, y)))
    return bool(found) and (e + found[0]) % N == r


def root_of(leaf, index, size, path):
    """The root a path leads to, RFC 9162 2.1.3.2; None where the path has a wrong length."""
    place, last, found = index, size - 1, leaf
    for sibling in (bytes.fromhex(one) if len(one) == 64 else b"" for one in path):
        if last <= 0 or len(sibling) != 32:
            return None
        if place & 1 or place == last:
            found = sm3(b"\1" + sibling + found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = sm3(b"\1" + found + sibling)
        place, last = place >> 1, last >> 1
    return found if last == 0 and index < size else None


def check(receipt, key):
    log_of = lambda origin: re.sub("^(mingjian/[^/]+/[^/]+)/([2-9]|[1-9][0-9]+)/sm3$", r"\1/sm3", origin)
    name, key_id, packed = key.strip().split("+", 2)
    kind = base64.b64decode(packed)
    if not kind.startswith(KIND) or sm3(name.encode() + b"\n" + kind)[:4].hex() != key_id:
        return "公钥不是监管日志的公钥"
    text, tail = receipt["checkpoint"].rsplit("\n\n", 1)
    origin, size, root, _ = text.split("\n", 3)
    if log_of(origin) != log_of(name) or int(size) != receipt["size"]:
        return "检查点与凭证或公钥不符"
    own_id = sm3(origin.encode() + b"\n" + kind)[:4]  # one key signs all volumes, each under its own name
    signed = [base64.b64decode(one.split(" ")[2]) for one in tail.splitlines() if one.split(" ")[1] == origin]
    if not any(one[:4] == own_id and sm2_holds(kind[len(KIND):], f"{text}\n".encode(), one[4:]) for one in signed):
        return "检查点没有这把密钥的签名，或签名不成立"
    canonical = lambda value: json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    entry = json.loads(receipt["entry"])
    if canonical(entry) != receipt["entry"]:
        return "条目不是规范形式"
    index, before = receipt["index"], entry["seq"] - receipt["index"]  # entries of earlier volumes
    found = root_of(sm3(b"\0" + receipt["entry"].encode()), index, int(size), receipt["path"])
    if before < 0 or (before > 0 and log_of(origin) == origin) or found != base64.b64decode(root):
        return "条目不在这份日志中"
    if "payload" in receipt:
        opened = dict(receipt["payload"])
        salt = bytes.fromhex(opened.pop("salt"))
        if sm3(salt + canonical(opened).encode()).hex() != entry["payload"]["digest"]:
            return "办理人、对象或原因与条目的摘要不符"
    for one in receipt.get("lines", []):
        found = root_of(sm3(b"\0" + one["line"].encode()), one["index"], entry["changes"]["rows"], one["path"])
        if found is None or found.hex() != entry["sheet"]:
            return "行不在条目的行清单中"


def read(path):
    def once(pairs):
        if len(dict(pairs)) < len(pairs):
            raise ValueError("有重复的字段")
        return dict(pairs)
    receipt = json.load(open(path, encoding="utf-8"), object_pairs_hook=once)
    json.dumps(receipt, ensure_ascii=False).encode()  # half a character is no text
    shape = {"format": str, "entry": str, "index": int, "size": int, "path": list, "checkpoint": str, "key": str}
    fits = all(type(receipt[name]) is kind for name, kind in shape.items())
    if not fits or receipt["format"] != "mingjian-receipt-1" or set(receipt.get("payload", PAYLOAD)) != PAYLOAD:
        raise ValueError("不是监管日志凭证")
    return receipt


def main(arguments):
    receipt = None
    try:
        receipt = read(arguments[1])
        key = open(arguments[2], encoding="utf-8").read() if len(arguments) > 2 else receipt["key"]
        wrong = check(receipt, key)
    except (OSError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        wrong = f"格式不符：{error}"
        if receipt is None or isinstance(error, OSError):
            print(f"无法读取：{error}", file=sys.stderr)
            return 2
    print(f"FAIL\t{wrong}" if wrong else "ok\t{seq}\t{action}".format(**json.loads(receipt["entry"])))
    if "payload" not in receipt:
        print("凭证没有附办理人、对象和原因，未作证明", file=sys.stderr)
    if len(arguments) < 3:
        print("使用的是凭证自带的公钥；请给出从别处取得的公钥，才能证明凭证出自该平台", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
