"""What columns are called in languages other than English, as exports write them.

Names are compared without case, accents and separators (`plain_name`), so that one spelling of each
is enough. A word that means two things in two languages stands where it is meant more often.
"""

from __future__ import annotations

import unicodedata

TEXTS_ABROAD = (
    *("inhalt", "beschreibung", "antwort", "absatz", "volltext", "artikeltext", "beitrag"),
    *("texte", "contenu", "corps", "reponse", "resume"),
    *("texto", "contenido", "descripcion", "respuesta", "cuerpo", "parrafo"),
    *("conteudo", "descricao", "resposta", "corpo", "resumo"),
    *("testo", "contenuto", "descrizione", "risposta", "paragrafo"),
    *("tekst", "inhoud", "omschrijving", "beschrijving", "antwoord"),
    *("innehall", "beskrivning", "svar", "indhold", "beskrivelse", "innhold"),
    *("tresc", "opis", "odpowiedz", "obsah", "popis", "odpoved"),
    *("metin", "icerik", "aciklama", "cevap", "yanit"),
    *("текст", "содержание", "описание", "ответ", "контент"),
    *("内容", "正文", "文本", "文章", "回答", "答案", "描述", "說明", "说明", "內容"),
    *("本文", "テキスト", "文書", "説明", "답변", "내용", "본문", "텍스트", "설명"),
    *("النص", "نص", "المحتوى", "الوصف", "متن", "محتوا", "תוכן", "טקסט", "תיאור"),
)
TITLES_ABROAD = (
    *("titel", "uberschrift", "betreff", "bezeichnung", "titre", "intitule", "objet"),
    *("titulo", "asunto", "assunto", "titolo", "oggetto", "onderwerp", "rubrik", "overskrift"),
    *("tytul", "temat", "nazev", "titul", "baslik", "заголовок", "название", "тема"),
    *("标题", "標題", "题目", "タイトル", "件名", "題名", "제목", "العنوان", "عنوان", "כותרת"),
)
IDS_ABROAD = (
    *("nummer", "kennung", "schlussel", "lfd_nr", "nr", "dok_id", "identifiant", "numero"),
    *("identificador", "identificativo", "codigo", "codice", "numer", "номер", "ид"),
    *("编号", "編號", "文档id", "番号", "文書id", "번호", "아이디", "الرقم", "رقم", "מספר"),
)
QUESTIONS_ABROAD = (
    *("frage", "pregunta", "pergunta", "domanda", "vraag", "fraga", "sporgsmal", "sporsmal"),
    *(
        "pytanie",
        "otazka",
        "soru",
        "вопрос",
        "问题",
        "問題",
        "質問",
        "질문",
        "السؤال",
        "سؤال",
        "שאלה",
    ),
)
"""Queries of a query file; titles of documents that answer them."""
QUERIES_ABROAD = (
    *("anfrage", "suchanfrage", "suchbegriff", "requete", "consulta", "zoekopdracht"),
    *("zapytanie", "dotaz", "sorgu", "запрос", "查询", "查詢", "クエリ", "検索語", "질의", "쿼리"),
)
GRADES_ABROAD = (
    *("bewertung", "relevanz", "pertinence", "relevancia", "relevantie", "rilevanza"),
    *("relevans", "ocena", "hodnoceni", "puan", "оценка", "релевантность"),
    *("相关性", "评分", "相關性", "関連度", "評価", "관련도", "평점"),
)


def without_accents(name: str) -> str:
    """A name without the accents of Latin letters: `título` and `titulo` are one."""
    if name.isascii():
        return name
    parts = unicodedata.normalize("NFD", name)
    plain: list[str] = []
    for letter in parts:
        latin = bool(plain) and plain[-1].isascii()
        if not (latin and unicodedata.combining(letter)):
            plain.append(letter)
    return unicodedata.normalize("NFC", "".join(plain)).replace("ß", "ss").replace("ł", "l")
