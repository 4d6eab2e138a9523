package glue;

import java.util.List;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.ActionRequest;
import org.elasticsearch.action.ActionRequestValidationException;
import org.elasticsearch.action.ActionResponse;
import org.elasticsearch.action.ActionType;
import org.elasticsearch.action.datastreams.CreateDataStreamAction;
import org.elasticsearch.action.datastreams.GetDataStreamAction;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.action.support.TransportAction;
import org.elasticsearch.action.support.master.AcknowledgedResponse;
import org.elasticsearch.cluster.metadata.MetadataCreateDataStreamService;
import org.elasticsearch.cluster.metadata.MetadataCreateDataStreamService.CreateDataStreamClusterStateUpdateRequest;
import org.elasticsearch.cluster.project.ProjectResolver;
import org.elasticsearch.common.io.stream.StreamOutput;
import org.elasticsearch.common.util.concurrent.EsExecutors;
import org.elasticsearch.injection.guice.Inject;
import org.elasticsearch.plugins.ActionPlugin.ActionHandler;
import org.elasticsearch.tasks.Task;
import org.elasticsearch.transport.TransportService;

/**
 * NOT Elastic's code: the actions behind GluePlugin's pages, by the names and requests of the modules that have them. So a
 * server with security decides who may do them as it does for the real ones: by the name, and the data streams of the request.
 */
public final class Actions {
    static final ActionType<Done> MAIN = new ActionType<>("cluster:monitor/main");
    static final ActionType<Done> GET = new ActionType<>("indices:admin/data_stream/get");
    static final ActionType<AcknowledgedResponse> CREATE = new ActionType<>("indices:admin/data_stream/create");

    private Actions() {}

    static List<ActionHandler> handlers() {
        return List.of(new ActionHandler(MAIN, Main.class), new ActionHandler(GET, Get.class), new ActionHandler(CREATE, Create.class));
    }

    public static final class MainRequest extends ActionRequest {
        @Override
        public ActionRequestValidationException validate() {
            return null;
        }
    }

    /** The request was allowed; `names`: the data streams that are left of it. */
    public static final class Done extends ActionResponse {
        final String[] names;

        Done(String[] names) {
            this.names = names;
        }

        @Override
        public void writeTo(StreamOutput out) {
            TransportAction.localOnly();
        }
    }

    public static final class Main extends TransportAction<MainRequest, Done> {
        @Inject
        public Main(TransportService transport, ActionFilters filters) {
            super(MAIN.name(), filters, transport.getTaskManager(), EsExecutors.DIRECT_EXECUTOR_SERVICE);
        }

        @Override
        protected void doExecute(Task task, MainRequest request, ActionListener<Done> listener) {
            listener.onResponse(new Done(new String[0]));
        }
    }

    public static final class Get extends TransportAction<GetDataStreamAction.Request, Done> {
        @Inject
        public Get(TransportService transport, ActionFilters filters) {
            super(GET.name(), filters, transport.getTaskManager(), EsExecutors.DIRECT_EXECUTOR_SERVICE);
        }

        @Override
        protected void doExecute(Task task, GetDataStreamAction.Request request, ActionListener<Done> listener) {
            listener.onResponse(new Done(request.getNames()));
        }
    }

    public static final class Create extends TransportAction<CreateDataStreamAction.Request, AcknowledgedResponse> {
        private final MetadataCreateDataStreamService service;
        private final ProjectResolver projects;

        @Inject
        public Create(TransportService transport, ActionFilters filters, MetadataCreateDataStreamService service, ProjectResolver projects) {
            super(CREATE.name(), filters, transport.getTaskManager(), EsExecutors.DIRECT_EXECUTOR_SERVICE);
            this.service = service;
            this.projects = projects;
        }

        @Override
        protected void doExecute(Task task, CreateDataStreamAction.Request request, ActionListener<AcknowledgedResponse> listener) {
            service.createDataStream(
                new CreateDataStreamClusterStateUpdateRequest(projects.getProjectId(), request.getName(), request.getStartTime(), null,
                    request.masterNodeTimeout(), request.ackTimeout()),
                listener
            );
        }
    }
}
