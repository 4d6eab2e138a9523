import java.util.Map;
import org.komamitsu.fluency.EventTime;
import org.komamitsu.fluency.Fluency;
import org.komamitsu.fluency.fluentd.FluencyBuilderForFluentd;

/** PORT TAG COUNT ACK: sends numbered events by Fluency, which packs them into chunks. */
public class Send {
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        int count = Integer.parseInt(args[2]);
        FluencyBuilderForFluentd builder = new FluencyBuilderForFluentd();
        builder.setAckResponseMode(args[3].equals("ack"));
        builder.setWaitUntilBufferFlushed(60);
        builder.setSslEnabled(System.getenv("SENDER_CA") != null);
        try (Fluency fluency = builder.build("127.0.0.1", port)) {
            for (int n = 0; n < count; n++) {
                fluency.emit(args[1], EventTime.fromEpochMilli(System.currentTimeMillis()), Map.of("n", n, "message", "event " + n));
            }
            fluency.flush();
            if (!fluency.waitUntilAllBufferFlushed(60)) throw new IllegalStateException("Cannot flush within 60 s");
        }
    }
}
