import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;

/** Starts one OpenSearch node in this JVM: no CLI, no agent, no bootstrap checks, so root may run it. */
public class OsMain {
    public static void main(String[] args) throws Exception {
        String home = System.getProperty("opensearch.path.home");
        Path conf = Path.of(System.getProperty("opensearch.path.conf"));
        LogConfigurator.registerErrorListener();
        Environment env = InternalSettingsPreparer.prepareEnvironment(Settings.EMPTY, Map.of("path.home", home), conf, () -> "sluice-1");
        LogConfigurator.setNodeName(Node.NODE_NAME_SETTING.get(env.settings()));
        LogConfigurator.configure(env);
        Node node = new Node(env);
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
                node.awaitClose(20, TimeUnit.SECONDS);
            } catch (Exception e) {
                e.printStackTrace();
            } finally {
                stopped.countDown();
            }
        }, "os-stop"));
        node.start();
        stopped.await();
    }
}
