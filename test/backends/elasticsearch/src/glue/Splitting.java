package glue;

import java.util.Map;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.miscellaneous.TruncateTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.apache.lucene.analysis.pattern.PatternTokenizer;
import org.apache.lucene.analysis.pattern.SimplePatternTokenizer;
import org.apache.lucene.util.automaton.Operations;
import org.elasticsearch.common.regex.Regex;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.AbstractTokenizerFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;

/**
 * NOT Elastic's code: the tokenizers and the filter that the template of Sluice asks for, whose module
 * (analysis-common) is not published. The work is done by Lucene's own classes, as it is there. And those that x-pack-security
 * asks for in its index of users and keys, where nobody here looks for words.
 */
final class Splitting {
    private Splitting() {}

    static Map<String, AnalysisProvider<TokenizerFactory>> tokenizers() {
        return Map.of(
            "simple_pattern", (index, environment, name, settings) -> new SimplePattern(name, settings),
            "pattern", (index, environment, name, settings) -> new Pattern(name, settings),
            "uax_url_email", (index, environment, name, settings) -> new UrlEmail(name)
        );
    }

    static Map<String, AnalysisProvider<TokenFilterFactory>> filters() {
        return Map.of(
            "truncate", (index, environment, name, settings) -> new Truncate(name, settings),
            "pattern_capture", (index, environment, name, settings) -> new PatternCapture(name, settings),
            "unique", (index, environment, name, settings) -> new Unique(name)
        );
    }

    private static final class SimplePattern extends AbstractTokenizerFactory {
        private final String pattern;

        SimplePattern(String name, Settings settings) {
            super(name);
            pattern = settings.get("pattern", "");
        }

        public Tokenizer create() {
            return new SimplePatternTokenizer(
                org.apache.lucene.analysis.standard.StandardTokenizer.DEFAULT_TOKEN_ATTRIBUTE_FACTORY,
                pattern,
                Operations.DEFAULT_DETERMINIZE_WORK_LIMIT
            );
        }
    }

    private static final class Pattern extends AbstractTokenizerFactory {
        private final java.util.regex.Pattern pattern;
        private final int group;

        Pattern(String name, Settings settings) {
            super(name);
            pattern = Regex.compile(settings.get("pattern", "\\W+"), settings.get("flags"));
            group = settings.getAsInt("group", -1);
        }

        public Tokenizer create() {
            return new PatternTokenizer(pattern, group);
        }
    }

    private static final class Truncate extends AbstractTokenFilterFactory {
        private final int length;

        Truncate(String name, Settings settings) {
            super(name);
            length = settings.getAsInt("length", -1);
        }

        public TokenStream create(TokenStream tokens) {
            return new TruncateTokenFilter(tokens, length);
        }
    }

    private static final class UrlEmail extends AbstractTokenizerFactory {
        UrlEmail(String name) {
            super(name);
        }

        public Tokenizer create() {
            return new UAX29URLEmailTokenizer();
        }
    }

    private static final class PatternCapture extends AbstractTokenFilterFactory {
        private final java.util.regex.Pattern[] patterns;

        PatternCapture(String name, Settings settings) {
            super(name);
            patterns = settings.getAsList("patterns").stream().map(java.util.regex.Pattern::compile).toArray(java.util.regex.Pattern[]::new);
        }

        public TokenStream create(TokenStream tokens) {
            return new PatternCaptureGroupTokenFilter(tokens, true, patterns);
        }
    }

    private static final class Unique extends AbstractTokenFilterFactory {
        Unique(String name) {
            super(name);
        }

        public TokenStream create(TokenStream tokens) {
            return new RemoveDuplicatesTokenFilter(tokens);
        }
    }
}
