"""Function apps of the shapes that Microsoft's documentation shows, nothing wrong with any.

After learn.microsoft.com/azure/azure-functions: the Python developer's guide, the pages of the
triggers and bindings, the quickstarts of Durable Functions, and the samples of the extensions. What
they import beside azure-functions and azure-functions-durable is named in `REQUIREMENTS`.
"""

from __future__ import annotations

__all__ = ["DOCUMENTED_APPS", "REQUIREMENTS"]

REQUIREMENTS = {
    "FastAPI": "fastapi\n",
    "Flask": "flask\n",
    "blob clients": "azurefunctions-extensions-bindings-blob\n",
    "streams": "azurefunctions-extensions-http-fastapi\n",
}

DOCUMENTED_APPS = {
    "HTTP": {
        "function_app.py": """
import json
import logging
import typing

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.function_name(name="HttpTrigger1")
@app.route(route="hello/{name:alpha?}", methods=["GET", func.HttpMethod.POST])
def test_function(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("Python HTTP trigger function processed a request.")
    name = req.params.get("name")
    if not name:
        try:
            req_body = req.get_json()
        except ValueError:
            pass
        else:
            name = req_body.get("name")
    return func.HttpResponse(f"Hello, {name}.", status_code=200)


@app.route(route="text", auth_level=func.AuthLevel.ANONYMOUS)
async def text(req: func.HttpRequest) -> str:
    return "Hello"


@app.route(trigger_arg_name="request", binding_arg_name="response")
def two_outputs(
    request: func.HttpRequest, response: func.Out[func.HttpResponse], context: func.Context
) -> None:
    response.set(func.HttpResponse(json.dumps({"id": context.invocation_id})))
"""
    },
    "timer": {
        "function_app.py": """
import datetime
import logging

import azure.functions as func

app = func.FunctionApp()


@app.function_name(name="mytimer")
@app.timer_trigger(schedule="0 */5 * * * *", arg_name="mytimer", run_on_startup=True,
                   use_monitor=False)
@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:01")
def test_function(mytimer: func.TimerRequest) -> None:
    if mytimer.past_due:
        logging.info("The timer is past due!")


@app.schedule(schedule="%SCHEDULE%", arg_name="timer")
async def by_setting(timer: func.TimerRequest, context: func.Context) -> None:
    logging.info(context.retry_context.retry_count)
"""
    },
    "queue": {
        "function_app.py": """
import logging
import typing

import azure.functions as func

app = func.FunctionApp()


@app.queue_trigger(arg_name="msg", queue_name="inputqueue", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="outputQueueItem", queue_name="outqueue",
                  connection="AzureWebJobsStorage")
def test_function(msg: func.QueueMessage, outputQueueItem: func.Out[typing.List[str]]) -> None:
    logging.info(msg.get_body().decode("utf-8"))
    outputQueueItem.set(["a", "b"])


@app.route(route="returned")
@app.queue_output(arg_name="msg", queue_name="outqueue", connection="AzureWebJobsStorage")
def returned(req: func.HttpRequest, msg: func.Out[func.QueueMessage]) -> func.HttpResponse:
    msg.set(func.QueueMessage(body=b"x"))
    return func.HttpResponse("OK")
"""
    },
    "blob": {
        "function_app.py": """
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.function_name(name="BlobTrigger1")
@app.blob_trigger(arg_name="myblob", path="samples-workitems/{name}", source="EventGrid",
                  connection="AzureWebJobsStorage")
@app.blob_input(arg_name="inputblob", path="sample-workitems/{name}", data_type="BINARY",
                connection="AzureWebJobsStorage")
@app.blob_output(arg_name="outputblob", path="newblob/test.txt", connection="AzureWebJobsStorage")
def copy(myblob: func.InputStream, inputblob: bytes, outputblob: func.Out[str]):
    logging.info(f"{myblob.name}: {myblob.length} bytes")
    outputblob.set(inputblob.decode())
"""
    },
    "blob clients": {
        "function_app.py": """
import logging

import azure.functions as func
import azurefunctions.extensions.bindings.blob as blob

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.blob_trigger(arg_name="client", path="PATH/TO/BLOB", connection="AzureWebJobsStorage")
def blob_trigger(client: blob.BlobClient):
    logging.info(client.get_blob_properties().size)


@app.route(route="file")
@app.blob_input(arg_name="client", path="PATH/TO/BLOB", connection="AzureWebJobsStorage")
def blob_input(req: func.HttpRequest, client: blob.StorageStreamDownloader):
    return "".join(str(chunk) for chunk in client.chunks())
"""
    },
    "Cosmos DB": {
        "function_app.py": """
import logging

import azure.functions as func

app = func.FunctionApp()


@app.cosmos_db_trigger(arg_name="documents", connection="COSMOS", database_name="db",
                       container_name="items", lease_container_name="leases",
                       create_lease_container_if_not_exists=True)
def on_change(documents: func.DocumentList) -> str:
    if documents:
        logging.info("Document id: %s", documents[0]["id"])
    return "done"


@app.route()
@app.cosmos_db_input(arg_name="found", database_name="db", container_name="items",
                     sql_query="SELECT * from c where c.id = {id}", connection="COSMOS")
@app.cosmos_db_output(arg_name="made", database_name="db", container_name="items",
                      connection="COSMOS")
def http(req: func.HttpRequest, found: func.DocumentList, made: func.Out[func.Document]):
    made.set(func.Document.from_json(req.get_body()))
    return str(len(found))
"""
    },
    "Event Grid and Event Hubs": {
        "function_app.py": """
import json
import logging
from typing import List

import azure.functions as func

app = func.FunctionApp()


@app.function_name(name="eventGridTrigger")
@app.event_grid_trigger(arg_name="event")
@app.event_grid_output(arg_name="outputEvent", topic_endpoint_uri="TopicUri",
                       topic_key_setting="TopicKey")
def grid(event: func.EventGridEvent, outputEvent: func.Out[func.EventGridOutputEvent]):
    logging.info(json.dumps({"id": event.id, "data": event.get_json()}))


@app.event_hub_message_trigger(arg_name="events", event_hub_name="<HUB>", connection="<SETTING>",
                               cardinality=func.Cardinality.MANY)
@app.event_hub_output(arg_name="out", event_hub_name="<HUB>", connection="<SETTING>")
def hub(events: List[func.EventHubEvent], out: func.Out[str]):
    for event in events:
        out.set(event.get_body().decode())
"""
    },
    "Service Bus": {
        "function_app.py": """
import logging
from typing import List

import azure.functions as func

app = func.FunctionApp()


@app.function_name(name="ServiceBusQueueTrigger1")
@app.service_bus_queue_trigger(arg_name="msg", queue_name="<QUEUE>", connection="<SETTING>")
@app.service_bus_topic_output(arg_name="message", connection="<SETTING>", topic_name="outtopic")
def queue(msg: func.ServiceBusMessage, message: func.Out[str]):
    message.set(msg.get_body().decode("utf-8"))


@app.service_bus_topic_trigger(arg_name="message", topic_name="TOPIC", connection="<SETTING>",
                               subscription_name="SUB", cardinality="many")
def topic(message: List[func.ServiceBusMessage]):
    logging.info(len(message))
"""
    },
    "SQL and tables": {
        "function_app.py": """
import json

import azure.functions as func

app = func.FunctionApp()


@app.function_name(name="ToDoTrigger")
@app.sql_trigger(arg_name="todo", table_name="ToDo", connection_string_setting="SqlConnection")
def todo_trigger(todo: str) -> None:
    json.loads(todo)


@app.route(route="todo")
@app.sql_input(arg_name="items", command_text="select * from dbo.ToDo where Id = @Id",
               command_type="Text", parameters="@Id={Query.id}",
               connection_string_setting="SqlConnection")
@app.sql_output(arg_name="row", command_text="[dbo].[ToDo]",
                connection_string_setting="SqlConnection")
@app.table_input(arg_name="message", connection="AzureWebJobsStorage", table_name="messages",
                 row_key="{id}", partition_key="message")
def todo(req: func.HttpRequest, items: func.SqlRowList, row: func.Out[func.SqlRow], message):
    row.set(func.SqlRow.from_dict(req.get_json()))
    return func.HttpResponse(json.dumps([json.loads(it.to_json()) for it in items]))
"""
    },
    "SignalR, Web PubSub and Kafka": {
        "function_app.py": """
import json
import typing

import azure.functions as func

app = func.FunctionApp()


@app.route(route="negotiate", auth_level="anonymous", methods=["POST"])
@app.generic_input_binding(arg_name="connectionInfo", type="signalRConnectionInfo",
                           hubName="serverless", connectionStringSetting="SignalR")
def negotiate(req: func.HttpRequest, connectionInfo) -> func.HttpResponse:
    return func.HttpResponse(connectionInfo)


@app.timer_trigger(schedule="*/1 * * * *", arg_name="myTimer")
@app.generic_output_binding(arg_name="signalRMessages", type="signalR", hubName="serverless",
                            connectionStringSetting="SignalR")
def broadcast(myTimer: func.TimerRequest, signalRMessages: func.Out[str]) -> None:
    signalRMessages.set(json.dumps({"target": "newMessage", "arguments": ["x"]}))


@app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="chat", eventName="message",
                     eventType="user")
@app.generic_output_binding(arg_name="actions", type="webPubSub", hub="chat",
                            connection="WebPubSub")
def message(request, actions: func.Out[str]) -> None:
    actions.set(json.dumps({"actionName": "sendToAll"}))


@app.kafka_trigger(arg_name="events", topic="T", broker_list="B", consumer_group="C",
                   cardinality="MANY")
@app.kafka_output(arg_name="out", topic="T", broker_list="B")
def kafka(events: typing.List[func.KafkaEvent], out: func.Out[str]) -> None:
    out.set(events[0].get_body().decode())
"""
    },
    "Durable Functions": {
        "function_app.py": """
import azure.durable_functions as df
import azure.functions as func

myApp = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@myApp.route(route="orchestrators/{functionName}")
@myApp.durable_client_input(client_name="client")
async def http_start(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    instance_id = await client.start_new(req.route_params.get("functionName"))
    return client.create_check_status_response(req, instance_id)


@myApp.orchestration_trigger(context_name="context")
def hello_orchestrator(context: df.DurableOrchestrationContext):
    result1 = yield context.call_activity("hello", "Seattle")
    entityId = df.EntityId("Counter", "myCounter")
    yield context.call_entity(entityId, "add", 1)
    return [result1]


@myApp.activity_trigger(input_name="city")
def hello(city: str) -> str:
    return f"Hello {city}"


@myApp.entity_trigger(context_name="context")
def Counter(context: df.DurableEntityContext):
    context.set_state(context.get_state(lambda: 0) + context.get_input())
"""
    },
    "Durable Functions, v1": {
        "Starter/function.json": """{
  "scriptFile": "__init__.py",
  "bindings": [
    {"authLevel": "anonymous", "name": "req", "type": "httpTrigger", "direction": "in",
     "route": "orchestrators/{functionName}", "methods": ["post", "get"]},
    {"name": "$return", "type": "http", "direction": "out"},
    {"name": "starter", "type": "durableClient", "direction": "in"}
  ]
}""",
        "Starter/__init__.py": """
import azure.durable_functions as df
import azure.functions as func


async def main(req: func.HttpRequest, starter: str) -> func.HttpResponse:
    client = df.DurableOrchestrationClient(starter)
    instance_id = await client.start_new(req.route_params["functionName"], None, None)
    return client.create_check_status_response(req, instance_id)
""",
        "Orchestrator/function.json": """{
  "scriptFile": "__init__.py",
  "bindings": [{"name": "context", "type": "orchestrationTrigger", "direction": "in"}]
}""",
        "Orchestrator/__init__.py": """
import azure.durable_functions as df


def orchestrator_function(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("Hello", "Tokyo"))


main = df.Orchestrator.create(orchestrator_function)
""",
        "Hello/function.json": """{
  "scriptFile": "__init__.py",
  "bindings": [{"name": "name", "type": "activityTrigger", "direction": "in"}]
}""",
        "Hello/__init__.py": """
from shared_code.greeting import greet


def main(name: str) -> str:
    return greet(name)
""",
        "shared_code/__init__.py": "",
        "shared_code/greeting.py": "def greet(name: str) -> str:\n    return f'Hello {name}!'\n",
    },
    "blueprints": {
        "function_app.py": """
import azure.functions as func

from http_blueprint import bp

app = func.FunctionApp()
app.register_functions(bp)
""",
        "http_blueprint.py": """
import logging

import azure.functions as func

bp = func.Blueprint()


@bp.route(route="default_template")
def default_template(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("Python HTTP trigger function processed a request.")
    return func.HttpResponse("Hello")
""",
    },
    "FastAPI": {
        "function_app.py": """
import azure.functions as func
from fastapi import FastAPI, Request, Response

fast_app = FastAPI()


@fast_app.get("/return_http_no_body")
async def return_http_no_body():
    return Response(content="", media_type="text/plain")


app = func.AsgiFunctionApp(app=fast_app, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
    },
    "Flask": {
        "function_app.py": """
import azure.functions as func
from flask import Flask, Response, request

flask_app = Flask(__name__)


@flask_app.get("/return_http")
def return_http():
    return Response("<h1>Hello World</h1>", mimetype="text/html")


app = func.WsgiFunctionApp(app=flask_app.wsgi_app, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
    },
    "FastAPI, v1": {
        "WrapperFunction/function.json": """{
  "scriptFile": "__init__.py",
  "bindings": [
    {"authLevel": "anonymous", "type": "httpTrigger", "direction": "in", "name": "req",
     "methods": ["get", "post"], "route": "{*route}"},
    {"type": "http", "direction": "out", "name": "$return"}
  ]
}""",
        "WrapperFunction/__init__.py": """
import azure.functions as func


async def app(scope, receive, send): ...


async def main(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return await func.AsgiMiddleware(app).handle_async(req, context)
""",
    },
    "streams": {
        "function_app.py": """
import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request, StreamingResponse

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="stream", methods=[func.HttpMethod.GET])
async def stream(req: Request) -> StreamingResponse:
    return StreamingResponse(iter(["x"]), media_type="text/event-stream")


@app.route(route="upload", methods=[func.HttpMethod.POST])
async def upload(req: Request) -> JSONResponse:
    async for chunk in req.stream():
        print(len(chunk))
    return JSONResponse({"status": "done"})
"""
    },
    "warm-up and Dapr": {
        "function_app.py": """
import logging

import azure.functions as func

app = func.FunctionApp()


@app.warm_up_trigger("warmup_context")
def warmup(warmup_context) -> None:
    logging.info("Function App instance is warm.")


@app.function_name(name="RetrieveOrder")
@app.dapr_service_invocation_trigger(arg_name="payload", method_name="RetrieveOrder")
@app.dapr_state_input(arg_name="data", state_store="statestore", key="order")
def retrieve(payload, data: str):
    logging.info(data)


@app.dapr_binding_trigger(arg_name="triggerData", binding_name="sample-topic")
@app.dapr_publish_output(arg_name="pubEvent", pub_sub_name="pubsub", topic="A")
def consume(triggerData: str, pubEvent: func.Out[bytes]) -> None:
    pubEvent.set(b"x")
"""
    },
    "MCP tools": {
        "function_app.py": """
import json

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
_PROPERTIES = json.dumps([{"propertyName": "name", "propertyType": "string"}])


@app.generic_trigger(arg_name="context", type="mcpToolTrigger", toolName="hello_mcp",
                     description="Hello world.", toolProperties="[]")
def hello_mcp(context) -> str:
    return "Hello I am MCPTool!"


@app.generic_trigger(arg_name="context", type="mcpToolTrigger", toolName="get_snippet",
                     description="Retrieve a snippet.", toolProperties=_PROPERTIES)
@app.generic_input_binding(arg_name="file", type="blob", connection="AzureWebJobsStorage",
                           path="snippets/{mcptoolargs.name}.json")
def get_snippet(file: func.InputStream, context) -> str:
    return file.read().decode("utf-8")


@app.mcp_tool()
@app.mcp_tool_property(arg_name="name", description="The name of the snippet.")
def save_snippet(name: str, text: str = "") -> str:
    return name + text
"""
    },
    "OpenAI": {
        "function_app.py": """
import json
import logging

import azure.functions as func

app = func.FunctionApp()


@app.route(route="whois/{name}", methods=["GET"])
@app.generic_input_binding(arg_name="response", type="textCompletion", prompt="Who is {name}?",
                           maxTokens="100", chatModel="%CHAT_MODEL_DEPLOYMENT_NAME%")
def whois(req: func.HttpRequest, response: str) -> func.HttpResponse:
    return func.HttpResponse(json.loads(response)["content"], status_code=200)


@app.route(route="embed", methods=["POST"])
@app.embeddings_input(arg_name="embeddings", input="{rawText}", input_type="rawText",
                      embeddings_model="%EMBEDDING_MODEL_DEPLOYMENT_NAME%")
@app.embeddings_store_output(arg_name="requests", input="{url}", input_type="url",
                             store_connection_name="S", collection="openai-index",
                             embeddings_model="%EMBEDDING_MODEL_DEPLOYMENT_NAME%")
def embed(req: func.HttpRequest, embeddings: str, requests: func.Out[str]) -> func.HttpResponse:
    requests.set(embeddings)
    return func.HttpResponse("OK")


@app.route(route="assistants/{assistantId}", methods=["PUT"])
@app.assistant_create_output(arg_name="requests")
def create(req: func.HttpRequest, requests: func.Out[str]) -> func.HttpResponse:
    requests.set(json.dumps({"id": req.route_params.get("assistantId")}))
    return func.HttpResponse(status_code=202)


@app.assistant_skill_trigger(arg_name="taskDescription", function_description="Make a new task")
def add_task(taskDescription: str) -> None:
    logging.info(taskDescription)
"""
    },
}
