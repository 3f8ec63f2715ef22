/* A filled form as a page: what was stated, what the workspace knows, what is open. */
#include "report/html_parts.h"
#include "report/record_document.h"

#include <string.h>

static void
put_lines(const char *text, struct buf *b)
{
    buf_put_str(b, "<p>");
    html_put_lines(b, text, html_put_prose, "<br>");
    buf_put_str(b, "</p>\n");
}

static void
put_cells(const json_t *cells, const char *tag, struct buf *b)
{
    size_t i;
    json_t *cell = NULL;
    buf_put_str(b, "<tr>");
    json_array_foreach(cells, i, cell)
    {
        buf_printf(b, "<%s>", tag);
        html_put(b, json_is_string(cell) ? json_string_value(cell) : "");
        buf_printf(b, "</%s>", tag);
    }
    buf_put_str(b, "</tr>\n");
}

static void
put_fact(const json_t *fact, struct buf *b)
{
    size_t i;
    json_t *o = NULL;
    json_array_foreach(json_object_get(fact, "lines"), i, o)
    {
        put_lines(json_string_value(o), b);
    }
    const json_t *rows = json_object_get(fact, "rows");
    if (json_array_size(rows) == 0) {
        return;
    }
    buf_put_str(b, "<div class=\"scroll\"><table><thead>");
    put_cells(json_object_get(fact, "columns"), "th", b);
    buf_put_str(b, "</thead><tbody>");
    json_array_foreach(rows, i, o)
    {
        put_cells(o, "td", b);
    }
    buf_put_str(b, "</tbody></table></div>\n");
}

static void
put_item(const json_t *item, struct buf *b)
{
    const char *source = document_text(item, "source");
    buf_put_str(b, "<div class=\"card\"><h3>");
    html_put(b, document_text(item, "title"));
    buf_put_str(b, "</h3>\n");
    if (strcmp(source, "workspace") == 0) {
        put_fact(json_object_get(item, "fact"), b);
        buf_put_str(b, "<p class=\"soft small\">From the workspace</p>");
    } else if (strcmp(source, "stated") == 0) {
        put_lines(document_text(item, "answer"), b);
        buf_put_str(b, "<details><summary>What was asked</summary><p>");
        html_put_prose(b, document_text(item, "question"));
        buf_put_str(b, "</p></details>");
    } else {
        buf_put_str(b, "<p><strong>Open.</strong> ");
        html_put_prose(b, document_text(item, "question"));
        buf_put_str(b, "</p>");
    }
    buf_put_str(b, "</div>\n");
}

static void
put_header(const json_t *d, struct buf *b)
{
    const json_t *stated = json_object_get(d, "stated");
    const double open = document_number(d, "open");
    buf_put_str(b, "<header><h1>");
    html_put(b, document_text(d, "title"));
    buf_put_str(b, "</h1>\n<p>");
    html_put_prose(b, document_text(d, "law"));
    buf_put_str(b, ". Of: <strong>");
    html_put(b, document_text(d, "about"));
    buf_put_str(b, "</strong>. Drawn ");
    html_put(b, document_text(d, "created"));
    buf_put_str(b, ".</p>\n<p>");
    if (stated != NULL) {
        buf_printf(b, "What was stated is version %.0f, by ", document_number(stated, "version"));
        html_put(b, document_text(stated, "by"));
        buf_put_str(b, " at ");
        html_put(b, document_text(stated, "time"));
        buf_put_str(b, ". ");
    } else {
        buf_put_str(b, "Nothing was stated yet. ");
    }
    buf_printf(b, open > 0 ? "<strong>%.0f questions are open.</strong>" : "No question is open.",
               open);
    buf_put_str(b, "</p></header>\n");
}

struct status
html_record_page(const json_t *d, struct buf *ret_html)
{
    size_t i, k;
    json_t *section = NULL, *item = NULL;
    html_open(document_text(d, "title"), ret_html);
    put_header(d, ret_html);
    html_main(ret_html);
    json_array_foreach(json_object_get(d, "sections"), i, section)
    {
        buf_printf(ret_html, "<section id=\"part-%zu\"><h2>", i + 1);
        html_put(ret_html, document_text(section, "title"));
        buf_put_str(ret_html, "</h2>\n");
        json_array_foreach(json_object_get(section, "items"), k, item)
        {
            put_item(item, ret_html);
        }
        buf_put_str(ret_html, "</section>\n");
    }
    html_close(ret_html);
    return buf_status(ret_html);
}
