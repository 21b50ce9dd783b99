#!/usr/bin/env python3
"""Write sentences.txt: 1,000 varied texts, one a line, made from the word lists below. Same output every time.

    python pipeline/testdata/make_sentences.py

Python's standard library is enough. The lists and templates are this project's own.
"""
import pathlib
import random

R = random.Random(20261121)
pick = R.choice

SUBJECTS = """the night nurse|a retired bridge engineer|our youngest daughter|the harbour pilot|an old tortoise|the committee|my neighbour
a travelling salesman|the orchestra|a stray dog|the new intern|the village baker|two lighthouse keepers|the archaeologist|a swarm of bees
the prime minister|her former landlord|the goalkeeper|a database administrator|the last tram|an anonymous donor|the glacier|this small company
the translator|a family of otters|the museum's curator|his stubborn donkey|the defence lawyer|a flock of starlings|the weather balloon
the compiler|the kidney|the river delta|an autonomous tractor|the jury|a bored teenager|the monastery|the vaccine|the stock exchange
a volcanic island|the chess club|the union|a pair of surgeons|the satellite|the ferry company|an undercover reporter|the beekeeper""".replace("\n", "|").split("|")
VERBS = """repaired|forgot|painted|measured|sold|borrowed|studied|hid|translated|photographed|ignored|rescued|inherited|doubted|announced|lost
rebuilt|criticised|counted|swallowed|delayed|surrounded|recommended|refused|invented|dismantled|carried|discovered|postponed|defended|watered
predicted|archived|misread|copied|celebrated|abandoned|investigated|insured|baked""".replace("\n", "|").split("|")
OBJECTS = """a rusty bicycle|the second movement of the symphony|seven boxes of unsorted letters|the annual budget|a jar of pickled lemons
the source of the noise|a treaty that nobody had read|the northern pier|a letter of resignation|three hundred saplings|the wrong suitcase
an index of all the fields|a theory about migrating eels|the family's recipe for rye bread|the oxygen tanks|a map without a scale|every second lamp post
the patient's blood pressure|a cheap imitation|the password to the safe|a colony of bacteria|the electricity bill|an unfinished novel|the tax return
the roof of the chapel|a prototype of the turbine|the harvest|a documentary about salt|the train timetable|his grandfather's violin|the evidence
an interest rate of four percent|a hash table with open addressing|the coral reef|the warranty|the third chapter|a bag of cement""".replace("\n", "|").split("|")
PLACES = """in Lisbon|near the old quarry|on the edge of the desert|behind the cathedral|at the bottom of the lake|in a laboratory outside Kyoto|on the 14th floor
along the railway line|in the queue at the post office|beyond the second roundabout|under the motorway|in the operating theatre|at a conference in Nairobi
in the kitchen|in orbit|off the coast of Chile|on page 212|in the footnotes|at the border|between two dunes|in the server room|by the canal""".replace("\n", "|").split("|")
TIMES = """last Tuesday|just before dawn|in the spring of 1974|after the storm|every other weekend|for the first time in years|while it rained
shortly after midnight|during the strike|on 3 March|within 48 hours|before anyone noticed|at a quarter past nine|when the power failed|long ago
in the first half|once the paint had dried|as the tide came in|ten minutes too late|by the end of the quarter""".replace("\n", "|").split("|")
REASONS = """because the insurance had expired|although nobody had asked|so that the children could sleep|in spite of the warnings|since the lift was broken
to save a few euros|as the law requires|because two of the figures were wrong|for reasons that remain unclear|after reading the manual twice
without telling the others|in order to win a bet|despite a temperature of 39.5 degrees|because the market had already closed|even though it was forbidden""".replace("\n", "|").split("|")
ADJECTIVES = """quiet|enormous|slightly damp|overrated|surprisingly cheap|out of date|sharp|unreliable|delicious|bitter|fragile|well documented|toxic
hard to translate|invisible at night|heavier than it looks|almost empty|strictly confidential|two metres wide|older than the city|reversible""".replace("\n", "|").split("|")
TOPICS = """tax law|sourdough|plate tectonics|contract bridge|beekeeping|garbage collection in programming languages|the French Revolution|knee surgery|solar panels
second-hand furniture|the offside rule|antibiotics|night trains|mortgage rates|volcanoes|cheese|public libraries|satellite navigation|the cello|asthma
urban foxes|inflation|tomato blight|passport renewal|option pricing|glass blowing|sign language|cricket|vector search|crop rotation|insomnia""".replace("\n", "|").split("|")
NAMES = "Amara|Björn|Chidi|Dolores|Eilidh|Farid|Giulia|Hye-jin|Ivan|Jocasta|Kwame|Ludmila|Mehmet|Nguyễn|Óscar|Priya|Quentin|Renée|Søren|Tomasz|Uzma|Věra|Wei|Ximena|Yusuf|Zoë".split("|")
QUESTIONS = ["How do I {v} {o}?", "What is the difference between {t} and {t2}?", "Why did {s} {v2} {o}?", "Is it true that {t} is {a}?", "Who {V} {o} {p}?",
             "Where can I learn about {t} {p}?", "When does {s} usually leave?", "Can {t} be {a}, or is that a myth?", "how much does {o} cost {p}", "which is better, {t} or {t2}",
             "{n}, did you know that {s} {V} {o}?", "Does anyone here understand {t}?", "What should I do if {s} {V} {o} {when}?", "best books on {t}", "{t} near me",
             "Should I worry about {t} {when}?", "what happens when {s} is {a}"]
BASE = "repair|forget|paint|measure|sell|borrow|study|hide|translate|photograph|ignore|rescue|inherit|doubt|rebuild|count|delay|recommend|refuse|invent".split("|")
FOREIGN = [
    # German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish, Turkish, Finnish
    "Der Zug nach {c} hat heute {k} Minuten Verspätung.", "Wer hat den Schlüssel zum Keller in {c} gesehen?", "Wir haben {k} Kisten Äpfel geerntet und kein Wort darüber verloren.",
    "Le marché de {c} ouvre à {k} heures, sauf le dimanche.", "Où est passée la clé du grenier que j'avais laissée à {c} ?", "Il y a {k} ans, personne ne parlait de cela.",
    "El puente de {c} estará cerrado durante {k} días.", "¿Cuántas veces has visitado {c} en los últimos {k} años?", "La abuela guardaba {k} cartas en una caja de zapatos.",
    "Il treno per {c} parte tra {k} minuti dal binario sette.", "A biblioteca de {c} emprestou {k} livros em março.", "De brug bij {c} gaat om {k} uur open.",
    "W {c} spadło wczoraj {k} centymetrów śniegu.", "Tåget till {c} är {k} minuter försenat.", "{c} şehrinde {k} gün boyunca yağmur yağdı.", "Ostin {c}sta {k} purkkia hilloa.",
    # Russian, Ukrainian, Greek, Arabic, Hebrew, Hindi, Japanese, Chinese, Korean, Vietnamese, Thai
    "Поезд до города {c} опаздывает на {k} минут.", "Бабуся спекла {k} пиріжків.", "Το πλοίο για {c} φεύγει σε {k} λεπτά.", "القطار إلى {c} متأخر {k} دقيقة.",
    "הרכבת ל{c} מאחרת ב-{k} דקות.", "{c} में {k} दिनों से बारिश हो रही है।", "{c}行きの電車は{k}分遅れています。", "昨天从{c}来的火车晚点了{k}分钟。", "{c}행 열차가 {k}분 늦어지고 있습니다.",
    "Chuyến tàu đi {c} bị trễ {k} phút.", "รถไฟไป{c}ล่าช้า {k} นาที",
]
CITIES = "Paris|Köln|Zürich|Bogotá|Łódź|Malmö|İzmir|Lyon|Sevilla|Torino|Porto|Gent|Oulu|Kyiv|Αθήνα|大阪|上海|서울|Đà Nẵng|Москва".split("|")
CODE = [
    "for i := range {k} {{ total += prices[i] * {j} }}", "SELECT name, COUNT(*) FROM orders WHERE year > {y} GROUP BY name HAVING COUNT(*) > {j};",
    "if err := store.{B}(ctx, {k}); err != nil {{ return fmt.Errorf(\"{b}: %w\", err) }}", "def {b}_{w}(items, limit={k}): return [x for x in items if x > limit][:{j}]",
    "git commit -m \"{w}: {b} the {w2} before the {w3}\" && git push origin release-{j}.{i}", "const {w}{W} = await fetch(`/api/v{j}/{w2}?page=${{page}}&size={k}`)",
    "panic: runtime error: index out of range [{k}] with length {j}", "E: Unable to locate package lib{w}-{w2}{j}-dev", "curl -sS -X POST localhost:{p}/{w}/{w2} -d '{{\"id\": {k}, \"on\": true}}'",
    "#define {U}_{U2} (1u << {i})", "<div class=\"{w}-{w2}\" id=\"x{k}\"><p>{w3} &amp; {b}</p></div>", "x = (a + {k}) / (b - {j}) ** {i}  # {w} {w2}", "WARN {y}-0{i1}-1{i1}T0{i1}:2{i1}:00Z {w}.{w2}: retry {i} of {j} after {k}ms",
    "fn {b}<T: Ord>(v: &mut Vec<T>) -> Option<T> {{ v.sort(); v.pop() }}", "{{\"{w}\": [{k}, {j}, {i}], \"{w2}\": null, \"{w3}\": \"{b}\"}}",
]
WORDS = "tower|ledger|packet|orchard|socket|meadow|buffer|invoice|lantern|cursor|harbour|kernel|parcel|session|beacon|margin|turbine|glossary|anchor|payload".split("|")
EMOJI = "🎉 🚀 😀 😭 🤷‍♀️ 🇵🇹 👩‍🔬 🧀 ☕ 🔥 🐢 👍🏽 ❤️ 🌧️ 🎻 🥐 🛰️ 🦦 ✅ ⚠️".split()
PRODUCTS = "kettle|headphones|tent|office chair|bike pump|rain jacket|blender|notebook|desk lamp|pair of boots|garden hose|keyboard|cot|suitcase".split("|")


def cap(s):
    return s[:1].upper() + s[1:]


def fill(template):
    """One question or line from a template; fields not used cost nothing."""
    return template.format(v=pick(BASE), v2=pick(BASE), V=pick(VERBS), o=pick(OBJECTS), s=pick(SUBJECTS), t=pick(TOPICS), t2=pick(TOPICS),
                           a=pick(ADJECTIVES), p=pick(PLACES), when=pick(TIMES), n=pick(NAMES))


def clause():
    s, v, o = pick(SUBJECTS), pick(VERBS), pick(OBJECTS)
    return pick([
        f"{s} {v} {o}", f"{s} {v} {o} {pick(PLACES)}", f"{pick(TIMES)}, {s} {v} {o}", f"{s} {v} {o} {pick(REASONS)}", f"{s}, which was {pick(ADJECTIVES)}, {v} {o}",
        f"{pick(NAMES)} said that {s} {v} {o} {pick(TIMES)}", f"{o} {pick(PLACES)} was {pick(ADJECTIVES)}", f"neither {s} nor {pick(SUBJECTS)} {v} {o}",
        f"it turned out that {o} had been {pick(ADJECTIVES)} all along", f"{s} {v} {o} {pick(PLACES)} {pick(REASONS)}",
    ])


def sentence():
    return cap(clause()) + pick(["."] * 6 + ["!", "…", ";", " — or so they say.", " (see below)."])


def paragraph(words):
    out = []
    while sum(len(s.split()) for s in out) < words:
        joint = pick(["", "", "", "However, ", "Meanwhile, ", "As a result, ", "In other words, ", "To be fair, ", "Even so, "])
        s = clause()
        if R.random() < 0.3:
            s += pick([", and ", ", but ", "; ", " while "]) + clause()
        out.append(cap(joint + s) + ".")
    return " ".join(" ".join(out).split()[:words])


def number():
    k = R.randint(2, 99999)
    return pick([
        f"Invoice no. {R.randint(1000, 9999)}-{R.randint(10, 99)}: {k:,}.{R.randint(10, 99)} EUR, due {R.randint(1, 28)}.{R.randint(1, 12)}.{R.randint(2019, 2031)}",
        f"{R.randint(1, 99)}% of {k} respondents were {pick(ADJECTIVES)}", f"+{R.randint(1, 99)} {R.randint(100, 999)} {R.randint(1000000, 9999999)}", f"{R.uniform(-50, 50):.3f} °C at {R.randint(0, 9000)} m",
        f"{R.randint(2, 40)} × {R.randint(2, 40)} = {R.randint(4, 1600)}", f"ISBN 978-{R.randint(0, 9)}-{R.randint(100, 999)}-{R.randint(10000, 99999)}-{R.randint(0, 9)}", str(k),
        f"{R.uniform(1, 10):.4f}e-{R.randint(2, 12)}", f"Flight {pick('ABKLTX')}{pick('AFHKZ')}{R.randint(10, 9999)} leaves gate {pick('ABC')}{R.randint(1, 60)} at {R.randint(0, 23):02}:{R.randint(0, 59):02}",
        f"The score was {R.randint(0, 9)}–{R.randint(0, 9)} after {R.randint(10, 120)} minutes", f"room {k % 900} seats {R.randint(4, 300)} people and costs ${R.randint(20, 900)} a day",
    ])


def address():
    w, x = pick(WORDS), pick(WORDS)
    return pick([
        f"https://www.{w}-{x}.example/{pick(WORDS)}/{R.randint(1, 9999)}?ref={pick(WORDS)}#top", f"{pick(NAMES).lower()}.{w}@{x}.example wrote: {clause()}",
        f"See {w}.example/{x} for {pick(TOPICS)}.", f"/usr/share/{w}/{x}.conf line {R.randint(1, 400)}", f"C:\\Users\\{pick(NAMES)}\\{w}\\{x}_{R.randint(1, 30)}.xlsx", f"@{w}_{x} #{pick(WORDS)} #{pick(WORDS)}{R.randint(1, 99)}",
    ])


def chat():
    e, f = pick(EMOJI), pick(EMOJI)
    return pick([
        f"omg {clause()} {e}{f}", f"{e} {pick(TOPICS)}?? no thanks {f}", f"{e}", f"lol same", f"{pick(NAMES)} {e} {pick(NAMES)}", f"brb, {pick(SUBJECTS)} is {pick(ADJECTIVES)} {e}",
        f"so {pick(ADJECTIVES)}!!! {e}{e}{e}", f"idk... maybe {pick(TOPICS)}? {f}", f"HAPPY BIRTHDAY {pick(NAMES).upper()} {e} {f}", f"thx for {pick(OBJECTS)} :-)",
    ])


def review():
    n = R.randint(1, 5)
    feel = {1: "Broke after {d} days, I want my money back", 2: "Disappointing: {a} and not what the picture shows", 3: "Does the job, though it is {a}",
            4: "Very pleased with it, only the strap is {a}", 5: "The best {p} I have owned, bought a second one for {n}"}[n]
    p = pick(PRODUCTS)
    return f"{'★' * n}{'☆' * (5 - n)} {cap(p)}. " + feel.format(d=R.randint(2, 60), a=pick(ADJECTIVES), p=p, n=pick(NAMES)) + pick([".", "!", ".", f". {sentence()}"])


def code():
    return pick(CODE).format(k=R.randint(2, 999), j=R.randint(2, 64), i=R.randint(1, 9), i1=R.randint(1, 9), y=R.randint(1999, 2030), p=R.randint(1024, 65535), b=pick(BASE), B=cap(pick(BASE)),
                             w=pick(WORDS), w2=pick(WORDS), w3=pick(WORDS), W=cap(pick(WORDS)), U=pick(WORDS).upper(), U2=pick(WORDS).upper())


def foreign():
    return pick(FOREIGN).format(c=pick(CITIES), k=R.randint(2, 90))


def short():
    return pick([pick(WORDS), pick(TOPICS), cap(pick(ADJECTIVES)), f"{pick(ADJECTIVES)} {pick(WORDS)}", pick(NAMES), "Yes.", "no", "?", "Thank you", f"{pick(WORDS)}/{pick(WORDS)}", f"re: {pick(TOPICS)}", "...", pick(OBJECTS)])


def title():
    words = f"{pick(TOPICS)} {pick(PLACES)}: {pick(['an introduction', 'a short history', 'what went wrong', 'notes', 'lessons from ' + str(R.randint(1800, 2025))])}".split()
    return " ".join(cap(w) for w in words)


KINDS = [(sentence, 300), (lambda: cap(fill(pick(QUESTIONS))), 160), (lambda: paragraph(R.randint(12, 40)), 130), (lambda: paragraph(R.randint(41, 120)), 50),
         (lambda: paragraph(R.randint(121, 200)), 24), (code, 60), (number, 50), (address, 40), (chat, 50), (review, 50), (foreign, 60), (short, 36), (title, 40)]


def main():
    texts, seen = [], set()
    for make, count in KINDS:
        kept = 0
        while kept < count:
            t = make()
            if t and t not in seen and t.lower() not in seen:
                seen |= {t, t.lower()}
                texts.append(t)
                kept += 1
    R.shuffle(texts)
    texts = texts[:1000]
    file = pathlib.Path(__file__).parent / "sentences.txt"
    file.write_text("".join(t + "\n" for t in texts), encoding="utf-8")
    print(f"{len(texts)} texts, {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
